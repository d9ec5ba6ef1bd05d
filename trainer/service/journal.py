"""What the service says: lines for a person at a terminal, else JSON, a line each, for a log."""

import json
from collections.abc import Callable
from datetime import datetime


class Journal:
    """Takes events.

    Args:
        write: takes a line.
        now: the time of day, with its zone.
        as_json: whether lines are for programs.
    """

    def __init__(self, write: Callable[[str], None], now: Callable[[], datetime], *, as_json: bool) -> None:
        self._write = write
        self._now = now
        self._as_json = as_json
        self._last = ""

    def say(self, event: str, **facts: object) -> None:
        """Tell of an event; to a person, the same thing again is not told twice in a row."""
        if self._as_json:
            told = {"timestamp": self._now().isoformat(timespec="milliseconds"), "event": event, **facts}
            self._write(json.dumps(told, default=str))
            return
        words = ", ".join(f"{name} {_words(value)}" for name, value in facts.items())
        line = f"{event}: {words}" if words else event
        if line != self._last:
            self._last = line
            self._write(f"{self._now():%H:%M:%S}  {line}")


def _words(value: object) -> str:
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value)) or "none"
    return str(value)
