"""Byte budget: dual ascent settles on it, bisection lands on it, the impossible is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.budget import DualAscent, bisect
from trainer.errors import BudgetError


def _settle(ascent: DualAscent, elasticity: float, lag: float, steps: int) -> list[float]:
    """Bytes over time of tables that follow lambda slowly: bytes = 50 * lambda ^ -elasticity, a `lag` share a step."""
    log_bytes, history = math.log(120.0), []
    for _ in range(steps):
        wanted = math.log(50.0) - elasticity * math.log(ascent.price)
        log_bytes += lag * (wanted - log_bytes)
        ascent.update(math.exp(log_bytes))
        history.append(math.exp(log_bytes))
    return history


@given(st.floats(0.2, 1.0), st.floats(0.05, 0.5), st.floats(0.2, 5))
def test_the_price_settles_at_the_budget_without_swinging(elasticity, lag, first_price):
    history = _settle(DualAscent(80, first_price), elasticity, lag, 1500)
    assert abs(history[-1] / 80 - 1) < 0.02
    assert max(history[750:]) / min(history[750:]) < 1.1


def test_the_price_rises_while_frames_are_too_large_and_falls_while_they_are_small():
    ascent = DualAscent(100, 1.0)
    assert ascent.update(150) > 1
    ascent = DualAscent(100, 1.0)
    assert ascent.update(60) < 1


def test_one_wild_batch_moves_the_price_by_at_most_a_fifth():
    ascent = DualAscent(100, 1.0)
    assert ascent.update(1e9) <= math.exp(0.2) + 1e-9


@given(st.floats(45, 7000))
def test_bisection_finds_the_knob_of_any_reachable_budget(budget):
    def bytes_at(knob: float) -> float:
        return 10 + 500 * math.exp(knob / 2)

    knob = bisect(bytes_at, -6, 6, budget, tolerance=0.005)
    assert bytes_at(knob) == pytest.approx(budget, rel=0.01)


@pytest.mark.parametrize("budget", [5, 9e4])
def test_a_budget_that_no_knob_reaches_is_refused_with_what_can_be_reached(budget):
    with pytest.raises(BudgetError) as caught:
        bisect(lambda knob: 10 + 500 * math.exp(knob / 2), -4, 4, budget, tolerance=0.005)
    assert caught.value.lowest == pytest.approx(10 + 500 * math.exp(-2))
    assert caught.value.highest == pytest.approx(10 + 500 * math.exp(2))
