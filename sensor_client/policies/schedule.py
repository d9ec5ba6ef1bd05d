"""At which hours pictures are taken: windows of the week. Pure; the clock on the wall decides."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Self

from shared.errors import DctwireError

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_MINUTES = 24 * 60
MOST_WINDOWS = 50
LOOKED_AHEAD_MINUTES = 8 * DAY_MINUTES
EXAMPLE = "06:00-20:00, or Mon-Fri 06:00-20:00; Sat,Sun 22:00-04:00, or UTC 05:00-19:00"

_WINDOW = re.compile(r"(?:(?P<days>[A-Za-z,-]+) +)?(?P<start>\d\d?:\d\d)-(?P<end>\d\d?:\d\d)")


class ScheduleError(DctwireError, ValueError):
    """This is no schedule."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; a schedule is such as {EXAMPLE}")


@dataclass(frozen=True)
class Window:
    """From one minute to another, on some days.

    Args:
        days: those on which it begins, 0 is Monday.
        start, end: minutes of the day, `end` not among them. Where `end` is not later it is the next day's.
    """

    days: frozenset[int]
    start: int
    end: int

    def has(self, weekday: int, minute: int) -> bool:
        """Whether this minute of this day is within."""
        if self.start < self.end:
            return weekday in self.days and self.start <= minute < self.end
        yesterday = (weekday - 1) % 7
        return (weekday in self.days and minute >= self.start) or (yesterday in self.days and minute < self.end)


@dataclass(frozen=True)
class Schedule:
    """The hours at which pictures are taken.

    Hours are those of the clock on the wall, in the device's own time zone, or UTC where it says so. A night that skips
    an hour skips what lies in it, and one that has an hour twice has it active twice.
    """

    windows: tuple[Window, ...]
    is_utc: bool = False

    @classmethod
    def of(cls, text: str) -> Self:
        """The schedule that a text says: windows with `;` between them, see EXAMPLE.

        Raises:
            ScheduleError: it says none.
        """
        said = text.strip()
        is_utc = re.match(r"UTC\b", said, re.IGNORECASE) is not None
        parts = (said[3:] if is_utc else said).split(";")
        if len(parts) > MOST_WINDOWS:
            raise ScheduleError(f"{len(parts)} windows are more than {MOST_WINDOWS}")
        return cls(tuple(_window(part.strip()) for part in parts), is_utc)

    def __str__(self) -> str:
        return ("UTC " if self.is_utc else "") + "; ".join(map(_told, self.windows))

    def is_active(self, at_seconds: float, zone: tzinfo | None = None) -> bool:
        """Whether pictures are taken at a time.

        Args:
            at_seconds: since 1970. A time beyond the calendar is active: such a clock says nothing.
            zone: the device's; None is the operating system's.
        """
        try:
            wall = datetime.fromtimestamp(at_seconds, UTC if self.is_utc else zone)
        except (ValueError, OverflowError, OSError):
            return True
        minute = 60 * wall.hour + wall.minute
        return any(window.has(wall.weekday(), minute) for window in self.windows)

    def next_change(self, at_seconds: float, zone: tzinfo | None = None) -> float | None:
        """When that changes next, in seconds since 1970; None where it does not within eight days.

        Looked for minute by minute: that is right whatever the clock on the wall does meanwhile.
        """
        now = self.is_active(at_seconds, zone)
        first = int(at_seconds // 60) + 1
        minutes = range(first, first + LOOKED_AHEAD_MINUTES)
        changes = (60.0 * minute for minute in minutes if self.is_active(60.0 * minute, zone) != now)
        return next(changes, None)


def _window(text: str) -> Window:
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise ScheduleError(f"{text!r} is no window" if text else "there is an empty window")
    start, end = _minute(match["start"]), _minute(match["end"])
    if start in (end, DAY_MINUTES):
        raise ScheduleError(f"{text!r} begins and ends at one time (a whole day is 00:00-24:00)")
    return Window(_days(match["days"] or "Mon-Sun"), start, end)


def _minute(text: str) -> int:
    hour, minute = map(int, text.split(":"))
    if minute > 59 or 60 * hour + minute > DAY_MINUTES:
        raise ScheduleError(f"{text} is no time of day")
    return 60 * hour + minute


def _days(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        start, end = _day(first), _day(last if dash else first)
        days |= {(start + step) % 7 for step in range((end - start) % 7 + 1)}
    return frozenset(days)


def _day(name: str) -> int:
    try:
        return DAYS.index(name.capitalize())
    except ValueError:
        raise ScheduleError(f"{name!r} is no day ({', '.join(DAYS)})") from None


def _told(window: Window) -> str:
    days = "" if len(window.days) == 7 else ",".join(DAYS[day] for day in sorted(window.days)) + " "
    (start_hour, start), (end_hour, end) = divmod(window.start, 60), divmod(window.end, 60)
    return f"{days}{start_hour:02}:{start:02}-{end_hour:02}:{end:02}"
