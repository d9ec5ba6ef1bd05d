"""What is kept for how long, and how it goes: rows first, then files that no row needs, a bounded part at a time.

Whatever a crash interrupts is found and finished the next time. Two processes may do this at once: each transaction
looks again at what it is about to delete.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import structlog

from cloud_server.errors import StorageError
from cloud_server.feedback.reasons import DAY_SECONDS
from cloud_server.storage.blobs import Blobs
from cloud_server.storage.database import Database
from cloud_server.storage.rows import results, sample_files, samples, sums

STEP_ROWS = 500
STEP_FILES = 50
STEPS_AT_ONCE = 20
TIDY_EVERY_SECONDS = 5.0
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long samples, answers with their labels, and hourly sums are kept.

    A sample's answer and label stay as long as it does.
    """

    samples_days: float
    results_days: float
    report_days: float = 400.0


class Retention:
    """Deletes samples, answers and labels that are older than their lifetimes."""

    def __init__(
        self, database: Database, blobs: Blobs, lifetimes: Lifetimes, now: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._lifetimes = lifetimes
        self._now = now

    async def run(self, is_my_turn: Callable[[], Awaitable[bool]]) -> None:
        """Delete what is due, again and again, until cancelled. It is a task of its own, for a store may not answer.

        Args:
            is_my_turn: whether this process shall do it, of several that share a database; two at once do no harm.
        """
        while True:
            await asyncio.sleep(TIDY_EVERY_SECONDS)
            try:
                if await is_my_turn():
                    await self.tidy()
            except StorageError as error:
                _log.warning("retention-failed", error=str(error))
            except Exception as error:  # noqa: BLE001 - a fault of ours must not end retention
                _log.error("retention-failed", exc_info=error)

    async def tidy(self) -> int:
        """Delete for a while; returns how many rows and files went, 0 when nothing is left to do.

        Raises:
            StorageError: the database or the blobs do not answer; the next call goes on.
        """
        gone = 0
        for step in (self._expire_samples, self._expire_results, self._expire_sums, self._sweep_files):
            for _ in range(STEPS_AT_ONCE):
                gone_now = await step()
                gone += gone_now
                if not gone_now:
                    break
        return gone

    async def _expire_samples(self) -> int:
        now = self._now()
        before = now - self._lifetimes.samples_days * DAY_SECONDS
        ids = await self._database.read(partial(samples.stored_before, before=before, limit=STEP_ROWS))
        return await self._database.write(partial(samples.remove, ids=ids, now=now)) if ids else 0

    async def _expire_results(self) -> int:
        before = self._now() - self._lifetimes.results_days * DAY_SECONDS
        keys = await self._database.read(partial(results.received_before, before_ns=int(before * 1e9), limit=STEP_ROWS))
        return await self._database.write(partial(results.remove, keys=keys)) if keys else 0

    async def _expire_sums(self) -> int:
        before = self._now() - self._lifetimes.report_days * DAY_SECONDS
        hour = int(before) // sums.HOUR_SECONDS
        is_due = await self._database.read(partial(sums.are_there_before, hour=hour))
        return await self._database.write(partial(sums.remove_before, hour=hour)) if is_due else 0

    async def _sweep_files(self) -> int:
        now = self._now()
        due = await self._database.read(partial(sample_files.sweepable, now=now, limit=STEP_FILES))
        if not due:
            return 0
        going = await self._database.write(partial(sample_files.doom, sha256s=due, now=now))
        for sha256 in going:
            await asyncio.to_thread(self._blobs.delete, sha256)
        await self._database.write(partial(sample_files.forget, sha256s=going))
        return len(going)
