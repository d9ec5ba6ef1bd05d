"""What became of a bundle on a device, and which devices count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_server.rollout.outcomes import Outcome, Tally, Trail, outcome_of, tally, worst

PROOFS, TIMEOUT = 3, 100.0


@pytest.mark.parametrize(
    ("trail", "outcome"),
    [
        (Trail(None, 0, None, None), Outcome.NOT_REACHED),
        (Trail(None, 2, 10, 109.9), Outcome.PENDING),
        (Trail(None, 2, 10, 110), Outcome.TIMED_OUT),
        (Trail(None, 3, 10, 500), Outcome.CONFIRMED),
        (Trail(None, 3, None, None), Outcome.CONFIRMED),
        (Trail(Outcome.REJECTED, 0, None, None), Outcome.REJECTED),
        (Trail(Outcome.ROLLED_BACK, 3, 10, 20), Outcome.ROLLED_BACK),
    ],
)
def test_an_outcome_follows_from_what_is_known_of_the_device(trail: Trail, outcome: Outcome) -> None:
    assert outcome_of(trail, PROOFS, TIMEOUT) is outcome


def test_what_a_device_told_stays_told_and_the_worst_of_it_counts() -> None:
    assert worst(None, Outcome.CONFIRMED) is None
    assert worst(None, Outcome.REJECTED) is Outcome.REJECTED
    assert worst(Outcome.REJECTED, Outcome.ROLLED_BACK) is Outcome.ROLLED_BACK
    assert worst(Outcome.ROLLED_BACK, None) is Outcome.ROLLED_BACK
    assert worst(Outcome.ROLLED_BACK, Outcome.CONFIRMED) is Outcome.ROLLED_BACK


def test_devices_that_were_not_reached_or_have_time_count_on_neither_side() -> None:
    outcomes = [Outcome.NOT_REACHED] * 5 + [Outcome.PENDING] * 4 + [Outcome.CONFIRMED] * 3
    outcomes += [Outcome.ROLLED_BACK, Outcome.REJECTED, Outcome.TIMED_OUT]
    counted = tally(outcomes)
    assert counted == Tally(confirmed=3, rolled_back=1, rejected=1, timed_out=1, pending=4, not_reached=5)
    assert (counted.failed, counted.settled) == (3, 6)


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.integers(0, 2))
def test_a_device_that_is_switched_off_never_fails(first: float, later: float, proofs: int) -> None:
    heard = Trail(None, proofs, first, first + min(later, TIMEOUT - 1e-3) if later < TIMEOUT else first)
    assert outcome_of(heard, PROOFS, TIMEOUT) is Outcome.PENDING
