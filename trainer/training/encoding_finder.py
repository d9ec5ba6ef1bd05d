"""The encoding that a run's goal asks for, as far as what has been learned so far can tell."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from shared.jpeg import TableSet
from trainer.data import Dataset
from trainer.encoding import streams
from trainer.encoding.encodings import Pictures, TaskRule, at_budget, of_standard, rare, rdo_rule, standard_at_budget
from trainer.encoding.files import EncoderSettings, Encoding
from trainer.encoding.sensitivity import steps_from
from trainer.recipes.goals import AnyTablesGoal, ImprovedGoal, KeptGoal, LearnedGoal, SensitivityGoal, StandardGoal
from trainer.recipes.recipe import Recipe
from trainer.training.compute import Compute

HUFFMAN_FRAMES = 50_000  # as in the paper


class EncodingFinder:
    """Finds encodings on real streams; all processes end with what the first one found.

    Args:
        kept: the encoding that a `KeptGoal` keeps.

    Raises:
        BudgetError: the goal's budget is outside what any tables can reach on this data set.
    """

    def __init__(
        self, goal: ImprovedGoal, recipe: Recipe, dataset: Dataset, compute: Compute, kept: Encoding | None = None
    ) -> None:
        self._goal, self._recipe, self._compute, self._kept = goal, recipe, compute, kept
        frames = recipe.tables.rate_frames
        self.pictures = Pictures(dataset.train.head(frames), dataset.validation.head(frames))
        self._huffman_fit_on = dataset.train.only(np.arange(min(len(dataset.train), HUFFMAN_FRAMES)))
        if not isinstance(goal, AnyTablesGoal | KeptGoal) and goal.budget is not None:
            self.pictures.check_reachable(goal.budget)

    @property
    def needs_net(self) -> bool:
        """Whether a net that has warmed up is needed to find the encoding."""
        return isinstance(self._goal, SensitivityGoal | LearnedGoal)

    def before_training(self) -> Encoding:
        """The encoding that the goal fixes, or else ordinary JPEG for the warm-up."""
        goal = self._goal
        if isinstance(goal, KeptGoal):
            assert self._kept is not None
            return self._kept
        if not isinstance(goal, StandardGoal):
            return of_standard(self._recipe.tables.warm_up_quality)
        rule = rdo_rule(goal.rdo_multiplier)
        if goal.quality is not None:
            return of_standard(goal.quality, rule)
        assert goal.budget is not None
        return self._final(standard_at_budget(goal.budget, self.pictures, rule))

    def of_energy(self, energy: Tensor) -> Encoding:
        """Tables at the budget from the task's gradient energy (3, 64), or flat ones where learning starts there."""
        is_flat = isinstance(self._goal, LearnedGoal) and self._recipe.tables.start == "flat"
        steps = torch.ones(3, 64) if is_flat else steps_from(energy)
        return self._final(at_budget(steps, self._budget, self.pictures))

    def of_learned(self, steps: Tensor, energy: Callable[[], Tensor]) -> Encoding:
        """Learned steps (3, 64) at the budget, with the encoder settings that the recipe asks for.

        Args:
            energy: the task's gradient energy (3, 64), where the settings need it.
        """
        rules = self._recipe.encoder
        plain = at_budget(steps, self._budget, self.pictures)
        if not any(rules.model_dump().values()):
            return self._final(plain)
        mask = rare(plain, self.pictures, rules.mask_share)
        rule = TaskRule(energy().double().numpy(), rules.rdo_multiplier, rules.dead_zone, mask)
        return self._final(at_budget(steps, self._budget, self.pictures, rule))

    @property
    def _budget(self) -> float:
        assert isinstance(self._goal, SensitivityGoal | LearnedGoal)
        return self._goal.budget

    def _final(self, encoding: Encoding) -> Encoding:
        """Fit the Huffman tables to the training pictures; processes take the first one's, as roundings may differ."""
        encoding = streams.with_fitted_huffman(encoding, self._huffman_fit_on)
        stream, settings = self._compute.agreed((encoding.tables.to_stream(), encoding.settings.to_json()))
        return Encoding(TableSet.from_stream(stream), EncoderSettings.from_json(settings))
