"""Bisection lands on a reachable byte budget; the impossible is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.encoding.bisection import bisect
from trainer.errors import BudgetError


@given(st.floats(45, 7000))
def test_bisection_finds_the_knob_of_any_reachable_budget(budget: float) -> None:
    def bytes_at(knob: float) -> float:
        return 10 + 500 * math.exp(knob / 2)

    knob = bisect(bytes_at, low=-6, high=6, budget=budget, tolerance=0.005)
    assert bytes_at(knob) == pytest.approx(budget, rel=0.01)


@pytest.mark.parametrize("budget", [5, 9e4])
def test_a_budget_that_no_knob_reaches_is_refused_with_what_can_be_reached(budget: float) -> None:
    with pytest.raises(BudgetError) as caught:
        bisect(lambda knob: 10 + 500 * math.exp(knob / 2), low=-4, high=4, budget=budget, tolerance=0.005)
    assert caught.value.lowest == pytest.approx(10 + 500 * math.exp(-2))
    assert caught.value.highest == pytest.approx(10 + 500 * math.exp(2))
