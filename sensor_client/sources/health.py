"""How the picture source does: written by the thread that takes pictures, read by status and heartbeat."""

import threading
from dataclasses import dataclass, replace
from enum import StrEnum

from sensor_client.clock import Clock
from sensor_client.logs import get_logger

FAULT_LIMIT_CHARACTERS = 300

_log = get_logger(__name__)


class Condition(StrEnum):
    """What the source does."""

    WAITING = "waiting"  # for its first picture
    GIVING = "giving"
    LOST = "lost"  # and tried again and again
    ENDED = "ended"  # in order


class Stillness(StrEnum):
    """What is odd about pictures that do come."""

    FROZEN = "frozen"  # the same to a bit
    BLANK = "blank"  # of one colour, such as black


@dataclass(frozen=True, kw_only=True)
class SourceReport:
    """A moment's view of a source; times in seconds since 1970, counts since the program started.

    Args:
        since: when `condition` began.
        fault: the last one, whether it is over or not; one line.
        losses: how often the source was lost; from the second picture on, each but the last was followed by a return.
        has_broken_off: it has ended, was to go on, and can give nothing any more.
        dropped: pictures that came faster than they could be taken, and were passed over for newer ones.
    """

    condition: Condition
    since: float
    pictures: int = 0
    last_picture_at: float | None = None
    fault: str | None = None
    fault_at: float | None = None
    losses: int = 0
    dropped: int = 0
    stillness: Stillness | None = None
    still_since: float | None = None
    has_broken_off: bool = False

    @property
    def is_lost(self) -> bool:
        """Whether it gives nothing, and ought to."""
        return self.condition is Condition.LOST or self.has_broken_off


class SourceHealth:
    """Keeps the report, and logs a change once, however many attempts it lasts. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._report = SourceReport(condition=Condition.WAITING, since=clock.now())

    @property
    def report(self) -> SourceReport:
        """How the source does now."""
        with self._lock:
            return self._report

    def came(self) -> None:
        """A picture came."""
        now = self._clock.now()
        with self._lock:
            was = self._report
            self._report = replace(was, pictures=was.pictures + 1, last_picture_at=now)
            self._enter(Condition.GIVING)
        if was.condition is Condition.LOST:
            self._tell_back(was)

    def found(self) -> None:
        """The source is there, whether it has a picture now or not."""
        with self._lock:
            was = self._report
            if was.condition is not Condition.LOST:
                return
            self._enter(Condition.WAITING)
        self._tell_back(was)

    def lost(self, reason: str) -> None:
        """No picture can be had for now."""
        fault = " ".join(reason.split())[:FAULT_LIMIT_CHARACTERS]
        with self._lock:
            was = self._report
            is_news = was.condition is not Condition.LOST
            losses = was.losses + is_news
            self._report = replace(was, fault=fault, fault_at=self._clock.now(), losses=losses)
            self._enter(Condition.LOST)
        if is_news or was.fault != fault:
            _log.warning("source-lost", reason=fault)

    def ended(self) -> None:
        """There are no more pictures, and that is in order."""
        with self._lock:
            self._enter(Condition.ENDED)
            pictures = self._report.pictures
        _log.info("source-ended", pictures=pictures)

    def broke_off(self, reason: str) -> None:
        """There are no more pictures, and there ought to be."""
        with self._lock:
            now, was = self._clock.now(), self._report
            self._report = replace(was, fault=reason, fault_at=now, losses=was.losses + 1, has_broken_off=True)
            self._enter(Condition.ENDED)
        _log.warning("source-ended", pictures=was.pictures, reason=reason)

    def drop(self) -> None:
        """A picture was passed over for a newer one."""
        with self._lock:
            self._report = replace(self._report, dropped=self._report.dropped + 1)

    def is_still(self, stillness: Stillness | None) -> None:
        """The pictures that come are odd; None: they are not."""
        with self._lock:
            was = self._report
            if stillness is was.stillness:
                return
            since = None if stillness is None else self._clock.now()
            self._report = replace(was, stillness=stillness, still_since=since)
        if stillness is None:
            _log.info("picture-changes-again", was=was.stillness)
        else:
            _log.warning("picture-does-not-change", picture=stillness)

    def _tell_back(self, was: SourceReport) -> None:
        _log.info("source-back", after_seconds=round(self._clock.now() - was.since, 1))

    def _enter(self, condition: Condition) -> None:
        if self._report.condition is not condition:
            self._report = replace(self._report, condition=condition, since=self._clock.now())
