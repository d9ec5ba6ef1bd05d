"""How long to wait before trying again."""

from hypothesis import given
from hypothesis import strategies as st

from sensor_client.backoff import (
    HIGHEST_CEILING_SECONDS,
    LONGEST_RETRY_AFTER_SECONDS,
    RETRIES_AT_ONCE,
    SPENT_FLOOR_SECONDS,
    RetryBudget,
    delay_seconds,
)


def test_the_ceiling_doubles_with_every_failure_and_stays_bounded() -> None:
    ceilings = [delay_seconds(attempt, None, lambda: 1.0) for attempt in range(10)]

    assert ceilings[:4] == [0.5, 1.0, 2.0, 4.0]
    assert ceilings[-1] == HIGHEST_CEILING_SECONDS


def test_jitter_is_full() -> None:
    assert delay_seconds(3, None, lambda: 0.0) == 0.0
    assert delay_seconds(3, None, lambda: 0.25) == 1.0


def test_retry_after_is_a_floor_with_jitter_on_top() -> None:
    assert delay_seconds(0, 7.0, lambda: 0.5) == 7.25


@given(st.integers(0, 10_000), st.none() | st.floats(-1e9, 1e9), st.floats(0, 1, exclude_max=True))
def test_no_peer_and_no_history_makes_the_wait_endless(attempt: int, retry_after: float | None, chance: float) -> None:
    wait = delay_seconds(attempt, retry_after, lambda: chance)

    assert 0 <= wait <= LONGEST_RETRY_AFTER_SECONDS + HIGHEST_CEILING_SECONDS
    assert retry_after is None or wait >= min(retry_after, LONGEST_RETRY_AFTER_SECONDS)


def test_retries_spend_a_budget_that_answers_refill_slowly() -> None:
    budget = RetryBudget()
    for _ in range(int(RETRIES_AT_ONCE)):
        assert budget.floor_seconds == 0.0
        budget = budget.failed()
    assert budget.floor_seconds == SPENT_FLOOR_SECONDS
    assert budget.failed() == budget
    for _ in range(11):
        budget = budget.answered()

    assert budget.floor_seconds == 0.0 and budget.failed().floor_seconds == SPENT_FLOOR_SECONDS


def test_answers_save_up_no_more_retries_than_there_were_at_first() -> None:
    assert RetryBudget().answered() == RetryBudget()
