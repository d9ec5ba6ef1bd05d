"""How many bytes may cross the network in an hour, a day and a month: pure rules over what was spent so far."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import IntEnum, StrEnum

RESERVE_PART = 16
"""One part in so many of a budget is kept for upkeep: whoever sends pictures may not use it."""
LONGEST_WAIT_SECONDS = 3600.0
"""So often, at least, a sender looks again: settings may change, and so may a clock that is wrong."""


class Window(StrEnum):
    """What a budget is counted by: hours and days of UTC, and the calendar month of the bill, in UTC too."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


LENGTH_SECONDS = {Window.HOUR: 3600.0, Window.DAY: 86400.0, Window.MONTH: 31 * 86400.0}


class Urgency(IntEnum):
    """How long a request may wait."""

    ORDINARY = 0  # frames, companions, labels
    URGENT = 1  # frames of a higher priority
    UPKEEP = 2  # heartbeats, updates, the device's own membership


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Bytes at the socket, both ways, that may be spent in a window; None sets no limit.

    Args:
        is_hard: nothing at all is sent over it. A soft one holds back what is ordinary, and lets the rest go.
    """

    hour_bytes: int | None = None
    day_bytes: int | None = None
    month_bytes: int | None = None
    is_hard: bool = False

    def __post_init__(self) -> None:
        if any(limit < 1 for limit in self.limits.values()):
            raise ValueError("a budget is at least one byte")

    @property
    def limits(self) -> Mapping[Window, int]:
        """The limits that are set."""
        each = {Window.HOUR: self.hour_bytes, Window.DAY: self.day_bytes, Window.MONTH: self.month_bytes}
        return {window: limit for window, limit in each.items() if limit is not None}


@dataclass(frozen=True)
class Period:
    """One hour, day or month: its number, what was spent in it, and how long this device has run in it."""

    number: int = 0
    spent_bytes: int = 0
    uptime_seconds: float = 0.0


Spending = Mapping[Window, Period]
"""The periods that are under way."""

NOTHING_SPENT: Spending = {window: Period() for window in Window}


def rolled(spending: Spending, now: float, passed_seconds: float) -> Spending:
    """The periods that are under way at `now`, `passed_seconds` of uptime after those in `spending` were.

    A period follows when the clock has gone into a later one. A clock that is set back opens none, for else every start
    without a clock would: the one that was is gone on with, until this device has run in it for as long as it lasts.
    """
    return {window: _rolled(window, period, now, passed_seconds) for window, period in spending.items()}


def spent(spending: Spending, count: int) -> Spending:
    """The same after so many bytes."""
    return {window: replace(period, spent_bytes=period.spent_bytes + count) for window, period in spending.items()}


def room_bytes(spending: Spending, budget: Budget, urgency: Urgency) -> int | None:
    """How many bytes may still be spent on what is so urgent; None where nothing limits it."""
    limits = _limits_of(budget, urgency)
    return min((max(0, limit - spending[window].spent_bytes) for window, limit in limits.items()), default=None)


def may_send(spending: Spending, budget: Budget, urgency: Urgency, request_bytes: int) -> bool:
    """Whether a request of this size may go. One that is larger than a whole budget goes while any of it is left."""
    return not _in_the_way(spending, budget, urgency, request_bytes)


def seconds_until(spending: Spending, budget: Budget, urgency: Urgency, request_bytes: int, now: float) -> float:
    """How long to wait until it is worth asking again whether such a request may go; 0 where it may go now."""
    windows = _in_the_way(spending, budget, urgency, request_bytes)
    ends = max((_end(window, now) - now for window in windows), default=0.0)
    return min(max(ends, 1.0) if windows else 0.0, LONGEST_WAIT_SECONDS)


def _rolled(window: Window, period: Period, now: float, passed_seconds: float) -> Period:
    number, uptime_seconds = _number(window, now), period.uptime_seconds + max(0.0, passed_seconds)
    is_over = uptime_seconds >= LENGTH_SECONDS[window]
    if number > period.number or (number < period.number and is_over):
        return Period(number)
    return replace(period, uptime_seconds=uptime_seconds)


def _limits_of(budget: Budget, urgency: Urgency) -> dict[Window, int]:
    if urgency is not Urgency.ORDINARY and not budget.is_hard:
        return {}
    if urgency is Urgency.UPKEEP:
        return dict(budget.limits)
    return {window: limit - limit // RESERVE_PART for window, limit in budget.limits.items()}


def _in_the_way(spending: Spending, budget: Budget, urgency: Urgency, request_bytes: int) -> list[Window]:
    limits = _limits_of(budget, urgency)
    return [window for window, limit in limits.items() if not _fits(spending[window], limit, request_bytes)]


def _fits(period: Period, limit: int, request_bytes: int) -> bool:
    left_bytes = limit - period.spent_bytes
    return left_bytes > 0 and (request_bytes <= left_bytes or request_bytes > limit)


def _number(window: Window, now: float) -> int:
    if window is Window.MONTH:
        time = datetime.fromtimestamp(now, UTC)
        return time.year * 12 + time.month - 1
    return int(now // LENGTH_SECONDS[window])


def _end(window: Window, now: float) -> float:
    if window is Window.MONTH:
        year, month = divmod(_number(window, now) + 1, 12)
        return datetime(year, month + 1, 1, tzinfo=UTC).timestamp()
    return (_number(window, now) + 1) * LENGTH_SECONDS[window]
