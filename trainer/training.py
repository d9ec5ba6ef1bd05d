"""A run from first epoch to finished tables and net; both kinds of tables go the same way, so figures compare.

Every epoch shows the net every training picture once. With standard tables all epochs use the codec's levels of these
tables. With learned tables the same number of epochs divides into warm-up (ordinary JPEG), learning (tables and net
together) and settling (the codec's levels of the finished tables).
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from shared.jpeg import TableSet
from trainer import streams
from trainer.batches import Batches
from trainer.compute import Compute
from trainer.data import Dataset, Split
from trainer.diff_jpeg import coefficients
from trainer.encoding import Encoding
from trainer.errors import BudgetError, RunError
from trainer.fitting import NetFitter
from trainer.goals import LearnedGoal, StandardGoal
from trainer.models import DctNet, DctNetConfig
from trainer.recipe import Recipe
from trainer.sensitivity import sensitive_steps
from trainer.streams import Levels
from trainer.table_learning import (
    TableLearner,
    dequantised,
    scaled_to_budget,
    steps_of,
    table_set_of,
)

STATISTICS_FRAMES = 4_096  # enough for spreads and sensitivities of 192 frequencies
EVALUATION_BATCH = 512

StepDone = Callable[[int, int], None]


class Phase(StrEnum):
    """What an epoch is for."""

    FIT = "fit"  # standard tables
    WARM_UP = "warm-up"
    LEARN = "learn"
    SETTLE = "settle"


@dataclass(frozen=True)
class HeldOut:
    """Figures on validation frames: share of right labels, mean scan bytes a frame with Huffman fitted on train."""

    accuracy: float
    scan_bytes: float


@dataclass(frozen=True)
class Epoch:
    """One epoch's figures; accuracy and bytes on `n` validation frames, bytes with Huffman fitted on train."""

    data: str
    epoch: int
    phase: str
    loss: float
    n: int
    validation_accuracy: float
    scan_bytes: float
    seconds: float
    learning_rate: float
    price: float | None = None
    rate_error: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain numbers and texts."""
        return asdict(self)


def new_net(recipe: Recipe, dataset: Dataset) -> DctNet:
    """An untrained net for the recipe and data set; the same for the same recipe seed.

    Raises:
        RecipeError: its stages do not suit the pictures' size.
    """
    torch.manual_seed(recipe.seed)
    asked = recipe.net
    config = DctNetConfig(len(dataset.classes), tuple(asked.widths), asked.blocks, asked.expansion, asked.kind)
    config.part(*dataset.size)
    planes = coefficients(torch.from_numpy(dataset.train.head(STATISTICS_FRAMES).pixels))
    spread = torch.stack([planes.y.std((0, 2, 3)), *planes.c.std((0, 2, 3)).chunk(2)])
    return DctNet(config, 1 / spread.clamp(min=0.5))


def phase_of(epoch: int, goal: StandardGoal | LearnedGoal, warm_up_epochs: int, learning_epochs: int) -> Phase:
    """Which phase an epoch (from 0) belongs to."""
    if isinstance(goal, StandardGoal):
        return Phase.FIT
    if epoch < warm_up_epochs:
        return Phase.WARM_UP
    return Phase.LEARN if epoch < warm_up_epochs + learning_epochs else Phase.SETTLE


class Training:
    """State and steps of one run.

    Args:
        start: a net's state to begin with instead of random weights; phases and epochs stay the same.

    Raises:
        RecipeError: the net or the batch does not fit the data set or the processes.
        BudgetError: the budget is outside what any tables can reach on this data set.
    """

    def __init__(
        self,
        recipe: Recipe,
        dataset: Dataset,
        goal: StandardGoal | LearnedGoal,
        compute: Compute,
        start: dict[str, Any] | None = None,
    ) -> None:
        self.recipe, self.dataset, self.goal = recipe, dataset, goal
        self.next_epoch = 0
        self._compute = compute
        compute.check_batch(recipe.optimiser.batch)
        self._batches = Batches(len(dataset.train), recipe.optimiser.batch, recipe.seed)
        self._net = new_net(recipe, dataset).to(compute.device)
        if start is not None:
            self._net.load_state_dict(start)
        compute.broadcast(self._net.state_dict().values())
        self._fitter = NetFitter(self._net, recipe.optimiser, len(self._batches) * recipe.optimiser.epochs, compute)
        self._learner: TableLearner | None = None
        self._losses: list[float] = []  # of the steps that this epoch has taken
        self._begin_epoch(0)
        self._sample = dataset.train.head(recipe.tables.rate_frames)
        self._held_out = dataset.validation.head(recipe.tables.rate_frames)
        quality = goal.quality if isinstance(goal, StandardGoal) else recipe.tables.warm_up_quality
        self._use(TableSet.standard(quality))
        if isinstance(goal, LearnedGoal):
            _check_reachable(goal.budget, self._sample, self._held_out)

    @property
    def net(self) -> nn.Module:
        """The net to measure and to export."""
        return self._fitter.fitted

    @property
    def epochs(self) -> int:
        """How many there are in all."""
        return self.recipe.optimiser.epochs

    @property
    def checkpoint_steps(self) -> int:
        """A checkpoint every so many steps inside an epoch; 0: only after epochs."""
        return self.recipe.optimiser.checkpoint_steps

    @property
    def is_done(self) -> bool:
        """Whether every epoch has run."""
        return self.next_epoch >= self.epochs

    def run_epoch(self, step_done: StepDone = lambda *_: None) -> Epoch:
        """The next epoch, or what is left of it.

        Args:
            step_done: called after every step with steps done and steps an epoch; `state()` may be taken there.

        Raises:
            DivergedError: the loss is no longer a number.
        """
        self._began = time.perf_counter() - self._seconds
        settings = self.recipe.tables
        phase = phase_of(self.next_epoch, self.goal, settings.warm_up_epochs, settings.learning_epochs)
        if phase is Phase.LEARN:
            self._learn(step_done)
        else:
            self._fit(step_done)
        self._fitter.agree()
        epoch = self._epoch(phase)
        self._begin_epoch(self.next_epoch + 1)
        return epoch

    def held_out(self) -> HeldOut:
        """Accuracy and true bytes on validation as things stand."""
        sizes = streams.scan_bytes(self.finished_encoding(), self.dataset.validation.pixels)
        right = accuracy(self.net, self._validation, steps_of(self.tables), self._compute)
        return HeldOut(right, float(sizes.mean()))

    def finished_encoding(self) -> Encoding:
        """What cameras will do with pixels: learned tables get Huffman codes fitted to all training pictures."""
        encoding = Encoding(self.tables)
        if isinstance(self.goal, StandardGoal):
            return encoding
        return streams.with_fitted_huffman(encoding, self.dataset.train)

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold to go on, after any step; every process must ask for it."""
        self._fitter.agree()
        return {
            "next_epoch": self.next_epoch,
            "losses": list(self._losses),
            "seconds": self._seconds,
            "net": self._net.state_dict(),
            "fitter": self._fitter.state(),
            "steps": steps_of(self.tables),
            "learner": self._learner.state() if self._learner else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state()`.

        Raises:
            RunError: it is the state of something else, such as another version's.
        """
        try:
            self._restore(state)
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise RunError(f"the checkpoint does not fit this version of the trainer: {error!r}") from error

    def _restore(self, state: dict[str, Any]) -> None:
        self.next_epoch, self._losses, self._seconds = state["next_epoch"], list(state["losses"]), state["seconds"]
        self._net.load_state_dict(state["net"])
        self._fitter.restore(state["fitter"])
        self._use(table_set_of(state["steps"]))
        if state["learner"] is not None:
            self._learner = self._new_learner(state["steps"])
            self._learner.restore(state["learner"])

    def _begin_epoch(self, epoch: int) -> None:
        self.next_epoch, self._seconds = epoch, 0.0
        self._losses = []

    def _fit(self, step_done: StepDone) -> None:
        """The rest of an epoch on the codec's levels."""
        self._net.train()
        steps = steps_of(self.tables).to(self._compute.device)
        for rows in self._rows():
            planes = dequantised(self._train.planes(rows).to(self._compute.device), steps)
            loss = self._fitter.task_loss(planes, self._train.labels[rows].to(self._compute.device))
            self._stepped(self._fitter.step(loss), step_done)

    def _learn(self, step_done: StepDone) -> None:
        """The rest of an epoch on tables and net together; its end makes the tables final."""
        learner = self._learner = self._learner or self._new_learner(self._first_steps())
        self._net.train()
        pixels = torch.from_numpy(self.dataset.train.pixels)
        for rows in self._rows():
            here = pixels[rows].to(self._compute.device), self._train.labels[rows].to(self._compute.device)
            self._stepped(learner.step(self._fitter, *here), step_done)
        self._use(table_set_of(self._to_budget(learner.tables.log_steps.exp())))

    def _stepped(self, loss: float, step_done: StepDone) -> None:
        self._losses.append(loss)
        self._seconds = time.perf_counter() - self._began
        step_done(len(self._losses), len(self._batches))

    def _rows(self) -> Iterator[Tensor]:
        """This process's rows of the batches that this epoch has not seen yet."""
        return map(self._compute.share, self._batches.of(self.next_epoch, len(self._losses)))

    def _first_steps(self) -> Tensor:
        self._fitter.agree()
        sample = self.dataset.train.head(STATISTICS_FRAMES)
        batches = (
            (coefficients(pixels.to(self._compute.device)), labels.to(self._compute.device))
            for pixels, labels in _parts(sample)
        )
        return self._to_budget(sensitive_steps(self._net, batches).cpu())

    def _to_budget(self, steps: Tensor) -> Tensor:
        """What the first process finds: roundings may fall otherwise in the others."""
        assert isinstance(self.goal, LearnedGoal)
        found = scaled_to_budget(steps.detach().cpu(), self.goal.budget, self._sample, self._held_out)
        self._compute.broadcast([found])
        return found

    def _new_learner(self, first_steps: Tensor) -> TableLearner:
        assert isinstance(self.goal, LearnedGoal)
        steps = len(self._batches) * self.recipe.tables.learning_epochs
        return TableLearner(first_steps, self.goal.budget, self.recipe.tables, steps, self._sample, self._compute)

    def _use(self, tables: TableSet) -> None:
        self.tables = tables
        self._train = streams.quantise(Encoding(tables), self.dataset.train)
        self._validation = streams.quantise(Encoding(tables), self.dataset.validation)

    def _epoch(self, phase: Phase) -> Epoch:
        held_out = self.held_out()
        learner = self._learner if phase is Phase.LEARN else None
        return Epoch(
            data=self.dataset.name,
            epoch=self.next_epoch + 1,
            phase=phase,
            loss=float(np.mean(self._losses)),
            n=len(self.dataset.validation),
            validation_accuracy=held_out.accuracy,
            scan_bytes=held_out.scan_bytes,
            seconds=time.perf_counter() - self._began,
            learning_rate=self._fitter.learning_rate,
            price=learner.price if learner else None,
            rate_error=learner.last_fit.median_error if learner else None,
        )


@torch.no_grad()
def accuracy(net: nn.Module, levels: Levels, steps: Tensor, compute: Compute) -> float:
    """Share of frames whose label the net finds, float32; each process looks at some of them."""
    net.eval()
    steps = steps.to(compute.device)
    right = 0
    for start in range(compute.rank * EVALUATION_BATCH, len(levels), compute.world * EVALUATION_BATCH):
        rows = slice(start, start + EVALUATION_BATCH)
        logits = net(dequantised(levels.planes(rows).to(compute.device), steps))
        right += int((logits.argmax(1).cpu() == levels.labels[rows]).sum())
    return compute.sum(right) / len(levels)


def _parts(split: Split) -> Iterator[tuple[Tensor, Tensor]]:
    """Pixels and labels, batch by batch."""
    for rows in np.array_split(np.arange(len(split)), -(-len(split) // EVALUATION_BATCH)):
        yield torch.from_numpy(split.pixels[rows]), torch.from_numpy(split.labels[rows])


def _check_reachable(budget: float, fit_on: Split, measure_on: Split) -> None:
    """Refuse a budget that not even the coarsest (all 255) or the finest tables (all 1) can reach."""
    sizes = []
    for step in (1.0, 255.0):
        fitted = streams.with_fitted_huffman(Encoding(table_set_of(torch.full((3, 64), step))), fit_on)
        sizes.append(float(streams.scan_bytes(fitted, measure_on.pixels).mean()))
    highest, lowest = sizes
    if not lowest <= budget <= highest:
        raise BudgetError(budget, lowest, highest)
