"""Which number an assignment gets."""

from hypothesis import given
from hypothesis import strategies as st

from cloud_server.storage.rows.assignments import NUMBERS_FROM, next_seq


@given(st.integers(0, 2**40), st.floats(0, 4e9))
def test_a_number_is_higher_than_every_one_before(highest: int, now: float) -> None:
    assert next_seq(highest, now) > highest


@given(st.integers(0, 1000), st.lists(st.floats(1, 1e6), min_size=1), st.floats(1, 1e6))
def test_a_restored_server_gives_no_number_again_that_it_gave_after_the_backup(
    in_backup: int, pauses: list[float], until_restored: float
) -> None:
    """Where it gave one a second at most, which nobody exceeds for long."""
    now, highest = float(NUMBERS_FROM + in_backup), in_backup
    lost = set()
    for pause in pauses:
        now += pause
        highest = next_seq(highest, now)
        lost.add(highest)
    assert next_seq(in_backup, now + until_restored) not in lost


def test_before_2026_numbers_are_counted_from_1() -> None:
    assert next_seq(0, 0.0) == 1
    assert next_seq(0, NUMBERS_FROM + 1.9) == 1
    assert next_seq(0, NUMBERS_FROM + 3.5) == 3
