"""What is kept for how long, and how it goes: rows first, then files that no row needs, a bounded part at a time.

So go the data of devices that an operator had forgotten.

Whatever a crash interrupts is found and finished the next time. Two processes may do this at once: each transaction
looks again at what it is about to delete.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from cloud_server.feedback.reasons import DAY_SECONDS
from cloud_server.storage.blobs import Blobs
from cloud_server.storage.database import Database
from cloud_server.storage.repeating import logged
from cloud_server.storage.rows import (
    device_days,
    forgetting,
    heartbeats,
    old_rollouts,
    results,
    sample_files,
    samples,
    sums,
)

STEP_ROWS = 500
STEP_FILES = 50
STEP_DEVICES = 20
LATE_SECONDS = 60.0
"""How long after a device was forgotten another process may still store something of it."""
STEPS_AT_ONCE = 20
TIDY_EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long samples, answers with their labels (and events and days of devices), and hourly sums are kept.

    A sample's answer and label stay as long as it does; what a rollout counted of single devices goes as long after its
    end as answers do.
    """

    samples_days: float
    results_days: float
    report_days: float = 400.0


class Retention:
    """Deletes what is older than its lifetime (samples, answers, events, sums), and what forgotten devices left.

    Args:
        now: seconds since 1970.
        is_clock_believed: whether `now` may say what is past its lifetime.
    """

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        lifetimes: Lifetimes,
        now: Callable[[], float],
        is_clock_believed: Callable[[], Awaitable[bool]],
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._lifetimes = lifetimes
        self._now = now
        self._is_clock_believed = is_clock_believed

    async def run(self, is_my_turn: Callable[[], Awaitable[bool]]) -> None:
        """Delete what is due, again and again, until cancelled. It is a task of its own, for a store may not answer.

        Args:
            is_my_turn: whether this process shall do it, of several that share a database; two at once do no harm.
        """
        while True:
            await asyncio.sleep(TIDY_EVERY_SECONDS)
            with logged("retention-failed"):
                if await is_my_turn():
                    await self.tidy()

    async def tidy(self) -> int:
        """Delete for a while; returns how many rows and files went, 0 when nothing is left to do.

        Raises:
            StorageError: the database or the blobs do not answer; the next call goes on.
        """
        gone = 0
        for step in await self._steps():
            for _ in range(STEPS_AT_ONCE):
                gone_now = await step()
                gone += gone_now
                if not gone_now:
                    break
        return gone

    async def _steps(self) -> tuple[Callable[[], Awaitable[int]], ...]:
        """What there is to do now. What nobody needs goes whatever the clock says."""
        aged = (
            self._expire_samples,
            self._expire_results,
            self._expire_events,
            self._expire_days,
            self._expire_rollouts,
            self._expire_sums,
        )
        return (self._empty_forgotten, *(aged if await self._is_clock_believed() else ()), self._sweep_files)

    async def _empty_forgotten(self) -> int:
        """Delete what forgotten devices left; a device is done with once nothing more can come."""
        now, gone = self._now(), 0
        for device in await self._database.read(partial(forgetting.to_empty, limit=STEP_DEVICES)):
            some = partial(forgetting.delete_some, device_id=device, limit=STEP_ROWS, now=now)
            gone_now = await self._database.write(some)
            gone += gone_now
            if not gone_now:
                before = now - LATE_SECONDS
                await self._database.write(
                    partial(forgetting.finish, device_id=device, forgotten_before=before, now=now)
                )
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

    async def _expire_events(self) -> int:
        before = self._now() - self._lifetimes.results_days * DAY_SECONDS
        keys = await self._database.read(partial(heartbeats.events_before, before=before, limit=STEP_ROWS))
        return await self._database.write(partial(heartbeats.remove_events, keys=keys)) if keys else 0

    async def _expire_days(self) -> int:
        day = int(self._now() / DAY_SECONDS - self._lifetimes.results_days)
        keys = await self._database.read(partial(device_days.before, day=day, limit=STEP_ROWS))
        return await self._database.write(partial(device_days.remove, keys=keys)) if keys else 0

    async def _expire_rollouts(self) -> int:
        before = self._now() - self._lifetimes.results_days * DAY_SECONDS
        rollout = await self._database.read(partial(old_rollouts.with_devices, before=before))
        if rollout is None:
            return 0
        return await self._database.write(partial(old_rollouts.remove_some, rollout=rollout, limit=STEP_ROWS))

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
