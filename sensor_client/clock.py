"""Time as a parameter: everything that reads a clock or waits does it through `Clock`."""

import threading
import time
from typing import Protocol

LONGEST_WAIT_SECONDS = 1e9
"""No setting asks for more: an event cannot be waited for as long as a float can say."""


class Clock(Protocol):
    """The time of day for what is told to others, a monotonic clock for what is measured here, and waiting."""

    def now(self) -> float:
        """Seconds since 1970, UTC; may jump."""

    def monotonic_seconds(self) -> float:
        """Seconds since some moment; never goes back."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until the event is set or the seconds have passed; say whether it is set."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.time()

    def monotonic_seconds(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(seconds)
