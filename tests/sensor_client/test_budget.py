"""The rules of byte budgets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor_client.budget import (
    LONGEST_WAIT_SECONDS,
    NOTHING_SPENT,
    Budget,
    Spending,
    Urgency,
    Window,
    may_send,
    rolled,
    room_bytes,
    seconds_until,
    spent,
)

NOON = 1_790_000_000.0 - 1_790_000_000.0 % 3600
"""An hour begins, in the middle of a month."""
HARD = Budget(hour_bytes=1600, is_hard=True)
SOFT = Budget(hour_bytes=1600)


def after(count: int, now: float = NOON) -> Spending:
    return spent(rolled(NOTHING_SPENT, now, 0.0), count)


def test_pictures_leave_a_sixteenth_to_upkeep() -> None:
    assert room_bytes(after(0), HARD, Urgency.ORDINARY) == room_bytes(after(0), HARD, Urgency.URGENT) == 1500
    assert may_send(after(1400), HARD, Urgency.URGENT, 100) and not may_send(after(1400), HARD, Urgency.URGENT, 101)
    assert may_send(after(1500), HARD, Urgency.UPKEEP, 100) and not may_send(after(1500), HARD, Urgency.UPKEEP, 101)


def test_of_several_budgets_the_one_with_the_least_left_says_how_much_room_there_is() -> None:
    budget = Budget(hour_bytes=1600, day_bytes=16_000, month_bytes=1_600_000)
    later = spent(rolled(after(14_900), NOON + 3600.0, 3600.0), 50)

    assert room_bytes(after(100), budget, Urgency.ORDINARY) == 1400
    assert room_bytes(later, budget, Urgency.ORDINARY) == 50


def test_a_soft_budget_holds_back_what_is_ordinary_and_nothing_else() -> None:
    full = after(10_000)

    assert not may_send(full, SOFT, Urgency.ORDINARY, 1)
    assert may_send(full, SOFT, Urgency.URGENT, 1) and may_send(full, SOFT, Urgency.UPKEEP, 1)
    assert room_bytes(full, SOFT, Urgency.ORDINARY) == 0 and room_bytes(full, SOFT, Urgency.URGENT) is None


def test_without_a_budget_nothing_is_held_back() -> None:
    assert may_send(after(2**60), Budget(), Urgency.ORDINARY, 2**60)
    assert room_bytes(after(2**60), Budget(), Urgency.ORDINARY) is None


def test_nothing_at_all_goes_once_a_budget_is_spent() -> None:
    assert may_send(after(1499), HARD, Urgency.ORDINARY, 0) and not may_send(after(1500), HARD, Urgency.ORDINARY, 0)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_budget_of_nothing_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="at least one byte"):
        Budget(day_bytes=limit)


def test_what_is_larger_than_a_whole_budget_goes_while_any_of_it_is_left() -> None:
    assert may_send(after(1499), HARD, Urgency.ORDINARY, 1_000_000)
    assert not may_send(after(1500), HARD, Urgency.ORDINARY, 1_000_000)


@pytest.mark.parametrize(
    ("budget", "seconds"),
    [
        (Budget(hour_bytes=16), 60.0),
        (Budget(day_bytes=16), LONGEST_WAIT_SECONDS),
        (Budget(hour_bytes=16, month_bytes=16), LONGEST_WAIT_SECONDS),
    ],
)
def test_a_sender_waits_for_the_period_that_is_in_the_way_but_looks_again_each_hour(
    budget: Budget, seconds: float
) -> None:
    now = NOON + 3540.0

    assert seconds_until(after(16, now), budget, Urgency.ORDINARY, 1, now) == seconds
    assert seconds_until(after(0, now), budget, Urgency.ORDINARY, 1, now) == 0.0


def test_the_next_hour_day_and_month_each_begin_with_nothing_spent() -> None:
    new_years_eve = 1_798_761_599.0  # 2026-12-31T23:59:59Z
    full = after(100, new_years_eve)

    assert all(period.spent_bytes == 100 for period in rolled(full, new_years_eve, 0.0).values())
    assert all(period.spent_bytes == 0 for period in rolled(full, new_years_eve + 1.0, 1.0).values())
    assert seconds_until(full, Budget(month_bytes=16), Urgency.ORDINARY, 1, new_years_eve) == 1.0


def test_a_clock_that_is_set_back_opens_no_new_period() -> None:
    again = rolled(after(100), 0.0, 10.0)

    assert all(period.spent_bytes == 100 for period in again.values())
    assert all(period.spent_bytes == 100 for period in rolled(again, NOON + 20.0, 10.0).values())


def test_a_clock_that_was_ahead_for_once_holds_nobody_up_longer_than_the_period_lasts() -> None:
    ahead = after(100, NOON + 50 * 365 * 86400.0)

    spending = rolled(ahead, NOON, 3599.0)
    assert spending[Window.HOUR].spent_bytes == 100
    spending = rolled(spending, NOON + 1.0, 1.0)

    assert (spending[Window.HOUR].spent_bytes, spending[Window.DAY].spent_bytes) == (0, 100)
    assert rolled(spending, NOON + 2.0, 1.0)[Window.HOUR].spent_bytes == 0


def test_a_sender_looks_again_after_a_second_at_the_earliest_however_soon_a_period_ends() -> None:
    now = NOON + 3599.999

    assert seconds_until(after(1600, now), HARD, Urgency.ORDINARY, 1, now) == 1.0


EVENTS = st.tuples(
    st.sampled_from(Urgency),
    st.integers(0, 4000),
    st.one_of(st.floats(0.0, 9000.0), st.just(-(10.0**9)), st.floats(-1e5, 1e5)),
    st.floats(0.0, 4000.0),
)


@given(
    limits=st.tuples(*[st.one_of(st.none(), st.integers(1, 20_000))] * 3),
    events=st.lists(EVENTS, max_size=60),
)
def test_no_sequence_of_events_spends_more_in_a_period_than_its_budget_and_one_request(
    limits: tuple[int | None, int | None, int | None], events: list[tuple[Urgency, int, float, float]]
) -> None:
    budget = Budget(hour_bytes=limits[0], day_bytes=limits[1], month_bytes=limits[2], is_hard=True)
    spending, now = NOTHING_SPENT, NOON
    in_period = dict.fromkeys(Window, 0)
    for urgency, size, step, uptime in events:
        now = max(0.0, now + step)
        before, spending = spending, rolled(spending, now, uptime)
        for window in Window:
            in_period[window] = 0 if spending[window].number != before[window].number else in_period[window]
        if may_send(spending, budget, urgency, size):
            spending = spent(spending, size)
            in_period = {window: sum_ + size for window, sum_ in in_period.items()}
            assert all(
                in_period[window] <= limit or (size > limit - limit // 16 and in_period[window] - size < limit)
                for window, limit in budget.limits.items()
            )
        else:
            assert 0.0 < seconds_until(spending, budget, urgency, size, now) <= LONGEST_WAIT_SECONDS
