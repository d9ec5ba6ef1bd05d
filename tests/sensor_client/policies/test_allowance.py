"""How many bytes of a kind may still be spent in this hour."""

from hypothesis import given
from hypothesis import strategies as st

from sensor_client.policies import Allowance


def test_it_begins_empty_and_fills_evenly() -> None:
    allowance = Allowance(100.0)
    assert not allowance.take(1, 3600, 100.0)
    assert allowance.take(10, 3600, 110.0)
    assert not allowance.take(1, 3600, 110.0)


def test_no_more_than_an_hours_worth_is_saved_up() -> None:
    allowance = Allowance(0.0)
    assert allowance.take(3600, 3600, 1e6) and not allowance.take(1, 3600, 1e6)


@given(st.lists(st.tuples(st.floats(0, 600), st.integers(0, 500))))
def test_no_hour_costs_more_than_twice_its_bytes(spends: list[tuple[float, int]]) -> None:
    allowance, now, taken = Allowance(0.0), 0.0, []
    for wait, count in spends:
        now += wait
        taken += [(now, count)] if allowance.take(count, 1000, now) else []
    for start, _ in taken:
        assert sum(count for at, count in taken if start <= at < start + 3600) <= 2000
