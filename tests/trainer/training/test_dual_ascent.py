"""Dual ascent settles on the byte budget."""

import math

from hypothesis import given
from hypothesis import strategies as st

from trainer.training.dual_ascent import DualAscent


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
def test_the_price_settles_at_the_budget_without_swinging(elasticity: float, lag: float, first_price: float) -> None:
    history = _settle(DualAscent(budget=80, price=first_price), elasticity, lag, 1500)
    assert abs(history[-1] / 80 - 1) < 0.02
    assert max(history[750:]) / min(history[750:]) < 1.1


def test_the_price_rises_while_frames_are_too_large_and_falls_while_they_are_small() -> None:
    ascent = DualAscent(budget=100, price=1.0)
    assert ascent.update(150) > 1
    ascent = DualAscent(budget=100, price=1.0)
    assert ascent.update(60) < 1


def test_one_wild_batch_moves_the_price_by_at_most_a_fifth() -> None:
    ascent = DualAscent(budget=100, price=1.0)
    assert ascent.update(1e9) <= math.exp(0.2) + 1e-9


def test_bytes_on_their_way_to_the_budget_hold_the_price_back_and_bytes_on_their_way_off_push_it() -> None:
    def last_move(measured: tuple[float, float], damping: float) -> float:
        ascent = DualAscent(budget=100, price=1.0, damping=damping)
        first, second = (ascent.update(each) for each in measured)
        return second / first

    falling, rising = (150.0, 140.0), (150.0, 160.0)
    assert last_move(falling, damping=10) < last_move(falling, damping=0)
    assert last_move(rising, damping=10) > last_move(rising, damping=0)
