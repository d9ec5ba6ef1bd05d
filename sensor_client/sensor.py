"""The running sensor: threads side by side that end together."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol

from sensor_client.clock import Clock
from sensor_client.http_line import DEADLINE_SECONDS
from sensor_client.logs import get_logger
from sensor_client.signals import Signals
from sensor_client.sources import SourceOverError
from sensor_client.supervision import Supervised

CAPTURE, UPLOAD = "capture", "upload"
"""The names of the two threads that a sensor is there for."""
LAST_DELIVERY_SECONDS = 60.0
"""So long what waits is delivered once the source is over; the rest is sent after the next start."""
WATCH_SECONDS = 0.25
JOIN_SECONDS = 0.05
LEAVE_SECONDS = DEADLINE_SECONDS + 5.0
"""A part that is supervised ends within this time after a stop, or is left behind: a hang must not hold up the end."""

_log = get_logger(__name__)


class Work(Protocol):
    """What is done until it is done, or until a stop."""

    def run(self) -> None: ...


class Sensor:
    """Capture and upload until the work is done, a stop is asked for, or one of the two fails. What works beside them
    is supervised: neither its faults nor its hanging reach them."""

    def __init__(
        self, *, capture: Work, uploader: Work, beside: Sequence[Supervised], signals: Signals, clock: Clock
    ) -> None:
        self._capture = capture
        self._uploader = uploader
        self._beside = beside
        self._signals = signals
        self._clock = clock

    def run(self, watch: Callable[[], None]) -> None:
        """Work until all is done; return within a request's deadline once a stop is asked for.

        Args:
            watch: called about every WATCH_SECONDS, to show the progress.

        Raises:
            SourceOverError: the source has ended and was to go on. What waited was delivered, or a minute is over.
            DctwireError: the error that ended capture or upload; the others have ended in order.
        """
        beside = [threading.Thread(target=part.run, name=part.name, daemon=True) for part in self._beside]
        for thread in beside:
            thread.start()
        with ThreadPoolExecutor(max_workers=2, thread_name_prefix="sensor") as pool:
            uploading, capturing = (
                pool.submit(_named, UPLOAD, self._uploader),
                pool.submit(_named, CAPTURE, self._capture),
            )
            working, last_seconds = {uploading, capturing}, 0.0
            while working:
                ended, working = wait(working, WATCH_SECONDS, return_when=FIRST_COMPLETED)
                if uploading in ended or any(_has_failed(thread) for thread in ended):
                    self._signals.request_stop()
                elif capturing.done() and capturing.exception() is not None:
                    last_seconds = last_seconds or self._clock.monotonic_seconds() + LAST_DELIVERY_SECONDS
                    if self._clock.monotonic_seconds() >= last_seconds:
                        self._signals.request_stop()
                watch()
        self._leave(beside)
        for done in (uploading, capturing):
            done.result()

    def _leave(self, threads: Sequence[threading.Thread]) -> None:
        deadline = self._clock.monotonic_seconds() + LEAVE_SECONDS
        for thread in threads:
            while thread.is_alive() and self._clock.monotonic_seconds() < deadline:
                thread.join(JOIN_SECONDS)
            if thread.is_alive():
                _log.error("part-left-behind", part=thread.name, reason=f"it did not end in {LEAVE_SECONDS:.0f} s")


def _named(name: str, work: Work) -> None:
    threading.current_thread().name = name
    work.run()
    threading.current_thread().name = f"{name}-done"


def _has_failed(thread: Future[None]) -> bool:
    """Whether it has to stop the others at once; one whose source is over lets what waits be delivered."""
    return not isinstance(thread.exception(), SourceOverError | None)
