"""Whether a wall clock is believed where it decides what is old enough to be deleted.

A clock that is wrong by months, if only for a moment, would delete what is to be kept for months. What is known against
it is when a process last kept house, which the database has, and the monotonic time since then, while that process
runs. A clock that has jumped by more than a day against that is believed once it has held for a day.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from cloud_server.feedback.reasons import DAY_SECONDS
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import known_time as rows
from cloud_server.storage.rows.known_time import KnownTime

JUMP_SECONDS = DAY_SECONDS
HOLD_SECONDS = DAY_SECONDS
_log = structlog.get_logger()


class Clock:
    """A process's wall clock, held against what the database knows.

    Args:
        now: seconds since 1970.
        monotonic: seconds on a clock that never goes back.
    """

    def __init__(self, database: Database, now: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self._monotonic = monotonic
        self._noted: KnownTime | None = None
        self._noted_at = 0.0

    async def is_believed(self) -> bool:
        """Whether the clock may say what is old enough to be deleted; it is to be asked again and again.

        Raises:
            StorageError: the database does not answer.
        """
        moment = self._monotonic()
        before, after = await self._database.write(lambda transaction: self._hear(transaction, moment))
        self._noted, self._noted_at = after, moment
        _tell(before, after)
        return after.doubted is None

    def _hear(self, transaction: Transaction, moment: float) -> tuple[KnownTime | None, KnownTime]:
        known = rows.read(transaction)
        is_own = known is not None and known == self._noted
        after = heard(known, self._now(), moment - self._noted_at if is_own else None)
        rows.write(transaction, after)
        return known, after


def heard(known: KnownTime | None, wall: float, elapsed: float | None) -> KnownTime:
    """What is known of the time once a clock has said something.

    Args:
        known: what was known before; None: nothing, so that nothing speaks for the clock either.
        wall: what the clock says, seconds since 1970.
        elapsed: monotonic seconds since `known` was noted; None where another process noted it.
    """
    if known is None:
        return KnownTime(wall, doubted=wall, held_seconds=0.0)
    passed = elapsed or 0.0
    at = known.at + passed
    if known.doubted is None or not _agree(wall, known.doubted + passed):
        if _agree(wall, at):
            return KnownTime(wall if elapsed is None else at, doubted=None, held_seconds=0.0)
        return KnownTime(at, doubted=wall, held_seconds=0.0)
    held = known.held_seconds + passed
    if held >= HOLD_SECONDS:
        return KnownTime(wall, doubted=None, held_seconds=0.0)
    return KnownTime(at, known.doubted + passed, held)


def _agree(one: float, other: float) -> bool:
    return abs(one - other) <= JUMP_SECONDS


def _tell(before: KnownTime | None, after: KnownTime) -> None:
    """Log that the clock has jumped, and that it is believed again; a new database is no news."""
    if before is None or (before.doubted is None) == (after.doubted is None):
        return
    if after.doubted is None:
        _log.info("clock-believed", clock=_text(after.at))
        return
    _log.error(
        "clock-not-believed",
        clock=_text(after.doubted),
        known=_text(after.at),
        consequence="nothing is deleted for its age until this clock has held for a day, or is right again",
    )


def _text(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"
