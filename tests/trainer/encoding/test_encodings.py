"""Encodings at a byte budget: scans of held-out pictures take what was asked for, whatever the encoder's settings."""

import numpy as np
import pytest
import torch

from shared.bundle import EncoderSettings
from shared.jpeg import TableSet
from tests.trainer.present import present
from trainer.data import Split, SplitName, synthetic
from trainer.encoding import streams
from trainer.encoding.encodings import (
    Pictures,
    SettingsRule,
    TaskRule,
    at_budget,
    of_standard,
    of_steps,
    plain,
    rare,
    rdo_rule,
    standard_at_budget,
)
from trainer.encoding.files import Encoding
from trainer.errors import BudgetError

NOTHING = np.zeros((3, 64), np.bool_)
CODE = 2**0.125  # weights are whole codes: the nearest is at most so far off


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return Pictures(
        *(synthetic.generate(name, 192, size=32, seed=11) for name in (SplitName.TRAIN, SplitName.VALIDATION))
    )


def _energy() -> np.ndarray:
    return np.exp(np.random.default_rng(5).normal(size=(3, 64)))


def _bytes(encoding: Encoding, pictures: Pictures) -> float:
    return float(streams.scan_bytes(encoding, pictures.measure_on.pixels).mean())


@pytest.mark.parametrize("budget", [60, 140])
@pytest.mark.parametrize(
    "rule",
    [plain, rdo_rule(0.12), TaskRule(_energy(), 0.06, 0.2, np.arange(192).reshape(3, 64) % 64 > 50)],
    ids=["plain", "rdo", "task"],
)
def test_any_steps_land_on_the_budget_with_fitted_codes(pictures: Pictures, rule: SettingsRule, budget: float) -> None:
    encoding = at_budget(torch.from_numpy(_energy()), budget, pictures, rule)
    steps = np.array([list(table) for table in encoding.tables.quant], float)
    assert _bytes(encoding, pictures) == pytest.approx(budget, rel=0.02)
    assert encoding.settings == rule(steps)
    assert encoding.tables.huffman != TableSet.standard().huffman
    inner = (steps > 20) & (steps < 255)  # where rounding and the ends leave the ratios as they were
    factors = (steps / _energy())[inner]
    assert inner.sum() > 20
    assert factors.max() / factors.min() < 1.06


@pytest.mark.parametrize("spread", [1.0, 8.0])
def test_any_steps_reach_what_the_coarsest_and_the_finest_tables_do(pictures: Pictures, spread: float) -> None:
    with pytest.raises(BudgetError) as caught:
        pictures.check_reachable(1)
    steps = torch.from_numpy(_energy() ** spread)
    for budget in (1.005 * caught.value.lowest, 0.99 * caught.value.highest):
        assert _bytes(at_budget(steps, budget, pictures), pictures) == pytest.approx(budget, rel=0.02)


def test_a_quality_between_whole_ones_is_found(pictures: Pictures) -> None:
    low, high = (pictures.frame_bytes(of_standard(quality)) for quality in (8, 9))
    assert high > 1.03 * low
    encoding = standard_at_budget((low + high) / 2, pictures)
    assert _bytes(encoding, pictures) == pytest.approx((low + high) / 2, rel=0.01)
    for component, table in enumerate(encoding.tables.quant):
        coarse, fine = (TableSet.standard(quality).quant[component] for quality in (8, 9))
        assert all(least <= step <= most for least, step, most in zip(fine, table, coarse, strict=True))


def test_steps_become_whole_and_stay_what_the_wire_can_carry() -> None:
    steps = torch.full((3, 64), 7.6)
    steps[0, 0], steps[2, 63] = 0.2, 900.0
    seen: list[np.ndarray] = []

    def rule(whole: np.ndarray) -> EncoderSettings:
        seen.append(whole)
        return EncoderSettings()

    encoding = of_steps(steps, rule)
    assert (encoding.tables.quant[0][0], encoding.tables.quant[1][5], encoding.tables.quant[2][63]) == (1, 8, 255)
    assert seen[0].tolist() == [list(table) for table in encoding.tables.quant]


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e3])
def test_rounding_is_shifted_most_where_the_task_feels_least(scale: float) -> None:
    worth = np.where(np.arange(64) % 2, 4.0, 0.25) * np.ones((3, 1))
    steps = np.linspace(3, 60, 192).reshape(3, 64)
    settings = TaskRule(scale * worth / steps**2, 0.0, 0.2, NOTHING)(steps)
    assert settings.rounding == pytest.approx(np.where(worth < 1, 0.5 - 0.2, 0.5 - 0.2 / 2), abs=1 / 256)
    assert settings.rdo_weights is None
    assert TaskRule(worth, 0.0, 0.0, NOTHING)(steps) == EncoderSettings()


def test_weights_follow_the_energy_and_a_squared_step_is_worth_one_bit_over_the_multiplier_in_the_mean() -> None:
    energy, steps = _energy(), np.linspace(3, 60, 192).reshape(3, 64)
    weights = present(TaskRule(energy, 0.06, 0.0, NOTHING)(steps).weights)
    halved = present(TaskRule(7 * energy, 0.12, 0.0, NOTHING)(steps).weights)
    ratios = weights / energy
    assert ratios.max() / ratios.min() < CODE**2.001
    assert weights / halved == pytest.approx(np.full((3, 64), 2.0), rel=1e-9)
    assert np.exp(np.log(weights * steps**2).mean()) == pytest.approx(1 / 0.06, rel=0.05)


def test_a_task_rules_mask_is_the_encoders() -> None:
    mask = np.arange(192).reshape(3, 64) % 7 == 3
    assert (TaskRule(_energy(), 0.06, 0.1, mask)(np.ones((3, 64))).zero_mask == mask).all()


def test_all_frequencies_are_weighed_alike_without_a_task() -> None:
    steps = np.linspace(3, 60, 192).reshape(3, 64)
    settings = rdo_rule(0.2)(steps)
    assert present(settings.weights) * steps**2 * 0.2 == pytest.approx(np.ones((3, 64)), rel=CODE - 1 + 1e-9)
    assert rdo_rule(0.0)(steps) == EncoderSettings()


def test_rare_are_those_that_few_blocks_code(pictures: Pictures) -> None:
    encoding, split = of_standard(30), pictures.fit_on
    levels = streams.quantise(encoding, split)
    y, c = levels.y.numpy(), levels.c.numpy().reshape(len(split), 2, 64, 2, 2)
    coded = np.stack([(plane != 0).mean((0, 2, 3)) for plane in (y, c[:, 0], c[:, 1])])
    found = rare(encoding, pictures, 0.05)
    assert (found == (coded < 0.05))[:, 1:].all()
    assert 20 < found.sum() < 180


def test_dc_is_never_rare() -> None:
    grey = Split(np.full((4, 32, 32, 3), 128, np.uint8), np.zeros(4, np.int64))
    found = rare(of_standard(50), Pictures(grey, grey), 0.5)
    assert not found[:, 0].any()
    assert found[:, 1:].all()


@pytest.mark.parametrize("budget", [3, 5000])
def test_a_budget_that_no_tables_reach_is_refused_with_what_they_reach(pictures: Pictures, budget: float) -> None:
    with pytest.raises(BudgetError) as caught:
        pictures.check_reachable(budget)
    assert 3 < caught.value.lowest < 40
    assert 500 < caught.value.highest < 5000
    pictures.check_reachable(caught.value.lowest)
    pictures.check_reachable(caught.value.highest)
