"""How the console writes quantities: bytes, shares, moments and how long ago they were. Pure."""

from datetime import UTC, datetime

_STEPS = ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second"))
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
"""What browsers call themselves, in the order in which it tells them apart: each claims to be those after it, too."""
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)
_NARROW_SPACE = "\u202f"


def size(count: float) -> str:
    """Bytes in the unit that suits them, three digits: `1.24 MB`."""
    unit = 0
    while abs(count) >= 999.5 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    digits = 0 if unit == 0 or abs(count) >= 99.95 else 1 if abs(count) >= 9.995 else 2
    return f"{count:.{digits}f} {_UNITS[unit]}"


def count(number: float) -> str:
    """A whole number, its thousands set apart: `12 345`."""
    return f"{number:,.0f}".replace(",", _NARROW_SPACE)


def percent(share: float, digits: int = 1) -> str:
    """A share as a percentage: `97.3 %`."""
    return f"{100 * share:.{digits}f} %"


def moment(at: float) -> str:
    """A moment in UTC, to the minute: `2026-11-30 11:06`."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"


def iso(at: float) -> str:
    """A moment as HTML's `datetime` has it."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def day(at: float) -> str:
    """The day of a moment in UTC: `2026-11-30`."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


def ago(at: float, now: float) -> str:
    """How long ago, or how soon, a moment is: `3 minutes ago`, `in 2 days`, `now`."""
    span = duration(abs(now - at))
    if abs(now - at) < 1:
        return "now"
    return f"{span} ago" if at < now else f"in {span}"


def duration(seconds: float) -> str:
    """How long something takes, in its largest unit: `3 minutes`."""
    for step, name in _STEPS:
        if seconds >= step:
            return plural(int(seconds // step), name)
    return "less than a second"


def plural(number: int, name: str, many: str = "") -> str:
    """A number of things: `1 device`, `3 devices`."""
    return f"{count(number)} {name if number == 1 else many or name + 's'}"


def browser(agent: str) -> str:
    """A browser and its system, of what it calls itself: `Firefox on Linux`; what is neither, as it is, shortened."""
    name = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    if name and system:
        return f"{name} on {system}"
    return name or agent[:40] or "unknown"
