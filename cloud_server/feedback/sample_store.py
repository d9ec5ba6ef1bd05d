"""Keeping a frame: its file among the blobs, then its row in the database, and never a row without a file."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog

from cloud_server.errors import StorageError
from cloud_server.feedback.plain_jpeg import plain_jpeg
from cloud_server.feedback.reasons import DAY_SECONDS, Dropped, Reason, SampleCaps, closed_until, day_began, hour_began
from cloud_server.feedback.recent_frames import RecentFrame
from cloud_server.storage.blobs import Blobs
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import results, sample_files, samples
from shared.errors import PeerError

FULL_FOR_SECONDS = 60.0
"""How long no frame is tried after all files together reached their limit."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Kept:
    """The frame is among the samples; `is_new` when it was not before."""

    is_new: bool


@dataclass(frozen=True, slots=True)
class NotKept:
    """The frame was not kept, and no other of its family and reason will be before `until` (seconds since 1970).

    Where `device_id` says one, that is so of this device's alone.
    """

    cause: Dropped
    until: float = 0.0
    device_id: int | None = None


@dataclass(frozen=True, slots=True)
class _Standing:
    """What is kept already.

    Args:
        is_known: this frame.
        in_hour, in_day: so many of its family and reason.
        is_surplus: of a detail: its frame has one, or is itself a companion.
        of_device_in_hour, of_device_in_day: of a detail: so many of its device.
    """

    is_known: bool
    in_hour: int
    in_day: int
    is_surplus: bool = False
    of_device_in_hour: int = 0
    of_device_in_day: int = 0


class SampleStore:
    """Keeps frames as samples, within the caps of their family and reason, and within `max_bytes` of files in all.

    Details are chosen by the device that sends them, so they are bounded by device as well: one a frame, and a share of
    the caps.

    Processes that share a database count together. Each may pass a cap by the one frame it has under way.
    """

    def __init__(
        self, database: Database, blobs: Blobs, caps: SampleCaps, max_bytes: int, now: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._caps = caps
        self._max_bytes = max_bytes
        self._now = now
        self.stored_bytes = 0

    async def refresh(self) -> None:
        """Look up how many bytes all files have together: other processes store and delete, too.

        Raises:
            StorageError: the database does not answer.
        """
        self.stored_bytes = await self._database.read(sample_files.total_bytes)

    async def keep(self, frame: RecentFrame, reason: Reason) -> Kept | NotKept:
        """Store a frame whose answer is stored; a frame that was kept before stays as it is."""
        try:
            return await self._keep(frame, reason)
        except StorageError as error:
            _log.warning("sample-not-stored", error=str(error))
            return NotKept(Dropped.STORAGE)
        except PeerError as error:  # it was decoded to be answered, so this is a fault of ours
            _log.error("sample-not-readable", error=str(error))
            return NotKept(Dropped.FAULT)

    async def _keep(self, frame: RecentFrame, reason: Reason) -> Kept | NotKept:
        now = self._now()
        standing = await self._database.read(partial(_standing, frame=frame, reason=reason, now=now))
        if standing.is_known:
            return Kept(is_new=False)
        refused = _refused(standing, self._caps, frame.device_id, now)
        if refused is not None:
            return refused
        file = await asyncio.to_thread(plain_jpeg, frame.data, frame.tables)
        if self.stored_bytes + len(file) > self._max_bytes:
            return NotKept(Dropped.FULL, now + FULL_FOR_SECONDS)
        return await self._store(frame, reason, file)

    async def _store(self, frame: RecentFrame, reason: Reason, file: bytes) -> Kept | NotKept:
        sha256 = hashlib.sha256(file).hexdigest()
        reserve = partial(sample_files.reserve, sha256=sha256, size=len(file), now=self._now())
        added_bytes = await self._database.write(reserve)
        if added_bytes is None:
            return NotKept(Dropped.STORAGE)
        self.stored_bytes += added_bytes
        await asyncio.to_thread(self._blobs.put, file)
        now = self._now()
        row = samples.NewSample(frame.device_id, frame.sequence, frame.family, reason.value, sha256, now)
        is_new = await self._database.write(partial(_record, row=row, now=now))
        if is_new is None:
            return NotKept(Dropped.STORAGE)
        return Kept(is_new)


def _refused(standing: _Standing, caps: SampleCaps, device_id: int, now: float) -> NotKept | None:
    closed = closed_until(caps, in_hour=standing.in_hour, in_day=standing.in_day, now=now)
    if closed is not None:
        return NotKept(Dropped.CAP, closed)
    of_device = {"in_hour": standing.of_device_in_hour, "in_day": standing.of_device_in_day}
    closed = closed_until(caps.of_device(), **of_device, now=now)
    if closed is not None:
        return NotKept(Dropped.CAP, closed, device_id)
    return NotKept(Dropped.CAP) if standing.is_surplus else None


def _standing(transaction: Transaction, frame: RecentFrame, reason: Reason, now: float) -> _Standing:
    is_known = samples.is_there(transaction, frame.device_id, frame.sequence)

    def since(start: float, device_id: int | None = None) -> int:
        # Not beyond the window's end: rows from a clock that was ahead must not close it for good.
        return samples.count(transaction, frame.family, reason.value, start, start + DAY_SECONDS, device_id)

    hour, day = hour_began(now), day_began(now)
    if reason is not Reason.DETAIL or frame.of is None:
        return _Standing(is_known, since(hour), since(day))
    has_one = samples.has_detail(transaction, frame.device_id, frame.of)
    is_surplus = has_one or results.is_companion(transaction, frame.device_id, frame.of)
    of_device = since(hour, frame.device_id), since(day, frame.device_id)
    return _Standing(is_known, since(hour), since(day), is_surplus, *of_device)


def _record(transaction: Transaction, row: samples.NewSample, now: float) -> bool | None:
    """Show a stored file as a sample: whether that is new; None when the file was swept meanwhile."""
    if not sample_files.claim(transaction, row.sha256):
        return None
    is_new = samples.add(transaction, row)
    if not is_new:  # another process has stored this frame
        sample_files.release(transaction, [row.sha256], now)
    return is_new
