"""What answered requests cost in bytes, summed up in memory and written to the database every few seconds.

A process that is killed loses the bytes of the last few seconds, together with the frames that they were for, so that
bytes a frame stay right. Answers and labels are summed up where they are stored, and lose nothing.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from cloud_server.errors import StorageError
from cloud_server.metrics import Payload
from cloud_server.storage.database import Database
from cloud_server.storage.repeating import every
from cloud_server.storage.rows import sums
from cloud_server.storage.rows.sums import HOUR_SECONDS, ByteSum

SAVE_EVERY_SECONDS = 5.0
_Key = tuple[str, str, int]


class ByteSums:
    """The bytes of this process's requests that are not written yet; at most a sum for each tables and hour.

    Args:
        shard: of this process.
        now: seconds since 1970.
    """

    def __init__(self, database: Database, shard: int, now: Callable[[], float]) -> None:
        self._database = database
        self._shard = shard
        self._now = now
        self._unsaved: dict[_Key, list[int]] = {}
        self._saving = asyncio.Lock()

    def add(self, payload: Payload, received_bytes: int, sent_bytes: int) -> None:
        """Note an answered request, as the socket saw it."""
        http_bytes = max(0, received_bytes - payload.body_bytes)
        parts = (payload.scan_bytes, payload.tables_bytes, payload.markers_bytes, http_bytes, sent_bytes)
        key = (payload.family, payload.tables, int(self._now()) // HOUR_SECONDS)
        self._add(key, [payload.frames, *parts])

    async def run(self) -> None:
        """Write what was noted every few seconds, until cancelled."""
        await every(SAVE_EVERY_SECONDS, self.save, "byte-sums-not-saved")

    async def save(self) -> None:
        """Write what was noted; what another call is writing is written, too, once this returns.

        Raises:
            StorageError: the database does not answer; the next call writes it.
        """
        async with self._saving:
            await self._save()

    async def _save(self) -> None:
        saving, self._unsaved = self._unsaved, {}
        if not saving:
            return
        rows = [ByteSum(*key, self._shard, *counted) for key, counted in saving.items()]
        try:
            await self._database.write(partial(sums.add_bytes, rows=rows))
        except StorageError:
            for key, counted in saving.items():
                self._add(key, counted)
            raise

    def _add(self, key: _Key, counted: list[int]) -> None:
        before = self._unsaved.get(key)
        self._unsaved[key] = counted if before is None else [a + b for a, b in zip(before, counted, strict=True)]
