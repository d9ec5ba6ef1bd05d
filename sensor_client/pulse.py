"""Whether threads are at work: each is seen whenever it looks for a stop, or waits by the clock, which all of them do.

A thread that waits for something is well, however long that takes; one that is not seen hangs, in a driver say.
"""

import threading
from collections.abc import Callable

from sensor_client.clock import Clock


class Pulse:
    """When each thread was seen last, by its name. Thread-safe."""

    def __init__(self, monotonic_seconds: Callable[[], float]) -> None:
        self._monotonic_seconds = monotonic_seconds
        self._seen: dict[str, float | None] = {}

    def beat(self, *, is_waiting: bool = False) -> None:
        """The calling thread is at work, or about to wait."""
        self._seen[threading.current_thread().name] = None if is_waiting else self._monotonic_seconds()

    def silent_seconds(self, thread: str) -> float:
        """For how long it was not seen; 0 while it waits, before it was seen at all, and once it has ended."""
        seen = self._seen.get(thread)
        if seen is None or all(one.name != thread for one in threading.enumerate()):
            return 0.0
        return self._monotonic_seconds() - seen


class WatchedStop(threading.Event):
    """An event whose watchers are seen."""

    def __init__(self, pulse: Pulse) -> None:
        super().__init__()
        self._pulse = pulse

    def is_set(self) -> bool:
        self._pulse.beat()
        return super().is_set()


class WatchedClock:
    """A clock whose users are seen."""

    def __init__(self, clock: Clock, pulse: Pulse) -> None:
        self._clock = clock
        self._pulse = pulse

    def now(self) -> float:
        self._pulse.beat()
        return self._clock.now()

    def monotonic_seconds(self) -> float:
        self._pulse.beat()
        return self._clock.monotonic_seconds()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self._pulse.beat(is_waiting=True)
        try:
            return self._clock.wait(event, seconds)
        finally:
            self._pulse.beat()
