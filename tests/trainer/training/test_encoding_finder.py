"""Which encoding a goal gets: before training, from sensitivities, and from learned steps with the recipe's rules."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from shared.jpeg import TableSet
from trainer.data import Dataset, Split, SplitName, noise, synthetic
from trainer.encoding import streams
from trainer.encoding.encodings import steps_of
from trainer.encoding.files import EncoderSettings, Encoding
from trainer.errors import BudgetError
from trainer.recipes.goals import AnyTablesGoal, ImprovedGoal, KeptGoal, LearnedGoal, SensitivityGoal, StandardGoal
from trainer.recipes.recipe import Recipe
from trainer.training.compute import Compute
from trainer.training.encoding_finder import EncodingFinder

STEPS = torch.exp(2 + torch.randn(3, 64, generator=torch.Generator().manual_seed(2)))
ENERGY = STEPS**-2


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    splits = {name: synthetic.generate(name, 128, size=32, seed=11) for name in SplitName}
    return Dataset.of("synthetic-32/test", synthetic.CLASSES, splits)


def _finder(
    goal: ImprovedGoal, dataset: Dataset, tables: dict[str, Any] | None = None, **rules: float
) -> EncodingFinder:
    recipe = {
        "data": {"name": "synthetic"},
        "net": {"widths": [8]},
        "optimiser": {"epochs": 3},
        "tables": {"rate_frames": 128, **(tables or {})},
        "encoder": rules,
    }
    return EncodingFinder(goal, Recipe.model_validate(recipe), dataset, Compute())


def _bytes(encoding: Encoding, dataset: Dataset) -> float:
    return float(streams.scan_bytes(encoding, dataset.validation.pixels).mean())


@pytest.mark.parametrize("goal", [AnyTablesGoal(), SensitivityGoal(budget=90), LearnedGoal(budget=90)], ids=str)
def test_what_waits_for_the_net_begins_with_the_ordinary_jpeg_of_the_recipe(
    goal: AnyTablesGoal | LearnedGoal | SensitivityGoal, dataset: Dataset
) -> None:
    finder = _finder(goal, dataset, {"warm_up_quality": 60})
    assert finder.before_training() == Encoding(TableSet.standard(60))
    assert finder.needs_net is not isinstance(goal, AnyTablesGoal)


def test_kept_tables_are_those_of_the_start(dataset: Dataset) -> None:
    kept = Encoding(TableSet.standard(37))
    recipe = Recipe.model_validate({"data": {"name": "synthetic"}, "optimiser": {"epochs": 3}})
    finder = EncodingFinder(KeptGoal(), recipe, dataset, Compute(), kept)
    assert finder.before_training() is kept
    assert not finder.needs_net


def test_a_quality_is_jpeg_as_it_is_and_rdo_only_weighs_its_bits(dataset: Dataset) -> None:
    plain, weighed = (
        _finder(StandardGoal(quality=40, rdo_multiplier=multiplier), dataset) for multiplier in (0.0, 0.12)
    )
    assert plain.before_training() == Encoding(TableSet.standard(40))
    assert weighed.before_training().tables == TableSet.standard(40)
    assert weighed.before_training().settings.rdo_weights is not None
    assert not plain.needs_net


@pytest.mark.parametrize("multiplier", [0.0, 0.12])
def test_standard_tables_at_a_budget_have_fitted_codes(dataset: Dataset, multiplier: float) -> None:
    encoding = _finder(StandardGoal(budget=90, rdo_multiplier=multiplier), dataset).before_training()
    assert _bytes(encoding, dataset) == pytest.approx(90, rel=0.02)
    assert encoding.tables.huffman != TableSet.standard().huffman
    assert (encoding.settings.rdo_weights is not None) is bool(multiplier)


def test_energy_becomes_steps_at_the_budget(dataset: Dataset) -> None:
    encoding = _finder(SensitivityGoal(budget=90), dataset).of_energy(ENERGY)
    assert _bytes(encoding, dataset) == pytest.approx(90, rel=0.02)
    steps = steps_of(encoding)
    inner = (steps > 10) & (steps < 255)
    factors = (steps / STEPS)[inner]
    assert inner.sum() > 50
    assert factors.max() / factors.min() < 1.11


def test_learning_starts_from_sensitivities_or_from_flat_tables(dataset: Dataset) -> None:
    sensitive, flat = (
        steps_of(_finder(LearnedGoal(budget=90), dataset, {"start": start}).of_energy(ENERGY))
        for start in ("sensitivity", "flat")
    )
    assert sensitive.std() > 1
    assert (flat == flat[0, 0]).all()


def test_learned_steps_without_rules_ask_nothing_of_the_net(dataset: Dataset) -> None:
    asked = []

    def energy() -> torch.Tensor:
        asked.append(1)
        return ENERGY

    encoding = _finder(LearnedGoal(budget=90), dataset).of_learned(STEPS, energy)
    assert encoding.settings == EncoderSettings()
    assert _bytes(encoding, dataset) == pytest.approx(90, rel=0.02)
    assert not asked


@pytest.mark.parametrize("rules", [{"rdo_multiplier": 0.06}, {"dead_zone": 0.2}, {"mask_share": 0.02}], ids=str)
def test_each_rule_of_the_recipe_ends_in_the_encoders_settings_at_the_same_budget(
    dataset: Dataset, rules: dict[str, Any]
) -> None:
    settings_of = {"rdo_multiplier": "rdo_weights", "dead_zone": "dead_zone", "mask_share": "zero_mask"}
    (rule,) = rules
    encoding = _finder(LearnedGoal(budget=90), dataset, **rules).of_learned(STEPS, lambda: ENERGY)
    changed = {
        name
        for name in settings_of.values()
        if not np.array_equal(getattr(encoding.settings, name), getattr(EncoderSettings(), name))
    }
    assert changed == {settings_of[rule]}
    assert _bytes(encoding, dataset) == pytest.approx(90, rel=0.02)


@pytest.mark.parametrize("goal", [StandardGoal(budget=4), SensitivityGoal(budget=4), LearnedGoal(budget=4)], ids=str)
def test_a_budget_out_of_reach_is_refused_at_once(
    goal: LearnedGoal | SensitivityGoal | StandardGoal, dataset: Dataset
) -> None:
    with pytest.raises(BudgetError):
        _finder(goal, dataset)


def test_huffman_codes_are_those_of_the_training_pictures_and_not_of_the_measured_ones(dataset: Dataset) -> None:
    other = replace(dataset, validation=Split(noise.pictures(64, 32, 32), np.zeros(64, np.int64)))
    found = _finder(StandardGoal(budget=300), other).before_training()
    plain = Encoding(found.tables.with_huffman(TableSet.standard().huffman))
    of_train, of_measured = (streams.with_fitted_huffman(plain, split) for split in (other.train, other.validation))
    assert found.tables.huffman == of_train.tables.huffman != of_measured.tables.huffman
