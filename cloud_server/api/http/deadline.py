"""A deadline on the event loop that can be set, met, and set again."""

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls `expire` once it has run for `seconds` without being stopped."""

    __slots__ = ("_expire", "_loop", "_seconds", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, expire: Callable[[], None]) -> None:
        self._loop = loop
        self._seconds = seconds
        self._expire = expire
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_running(self) -> bool:
        """Whether it was started, and not stopped since."""
        return self._timer is not None

    def start(self) -> None:
        """Begin to run; one that runs already begins anew."""
        self.stop()
        self._timer = self._loop.call_later(self._seconds, self._expire)

    def stop(self) -> None:
        """Run no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
