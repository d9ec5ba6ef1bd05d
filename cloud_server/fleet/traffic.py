"""What each device's answered uploads cost in bytes a day, summed up in memory and written every few seconds.

A process that is killed loses the last few seconds of it, bytes and frames together, so that bytes a frame stay right.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from cloud_server.errors import StorageError
from cloud_server.metrics import Payload
from cloud_server.storage.database import Database
from cloud_server.storage.repeating import every
from cloud_server.storage.rows import device_days as rows
from cloud_server.storage.rows.device_days import DayRow

DAY_SECONDS = 86_400
SAVE_EVERY_SECONDS = 20.0
"""Far less than the minute within which a forgotten device's last rows may still come."""
DEVICES_AT_ONCE = 500
"""In one transaction, so that no frame waits long behind those of a large fleet."""
_Key = tuple[int, int]


class Traffic:
    """The bytes of devices that this process has not written yet; at most a sum for each device and day.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self._unsaved: dict[_Key, list[int]] = {}
        self._saving = asyncio.Lock()

    def add(self, payload: Payload, received_bytes: int, sent_bytes: int) -> None:
        """Note an answered request, as the socket saw it; of companions, too, for the device pays for them."""
        body_bytes = payload.body_bytes
        key = (payload.device_id, int(self._now()) // DAY_SECONDS)
        self._add(key, [payload.frames, body_bytes, max(0, received_bytes - body_bytes), sent_bytes])

    async def run(self) -> None:
        """Write what was noted every few seconds, until cancelled."""
        await every(SAVE_EVERY_SECONDS, self.save, "device-traffic-not-saved")

    async def save(self) -> None:
        """Write what was noted; what another call is writing is written, too, once this returns.

        Raises:
            StorageError: the database does not answer; the next call writes what is left.
        """
        async with self._saving:
            saving, self._unsaved = self._unsaved, {}
            made = [DayRow(*key, *counted) for key, counted in saving.items()]
            for start in range(0, len(made), DEVICES_AT_ONCE):
                try:
                    await self._database.write(partial(rows.add, rows=made[start : start + DEVICES_AT_ONCE]))
                except StorageError:
                    for row in made[start:]:
                        self._add((row.device_id, row.day), list(row[2:]))
                    raise

    async def of_device(self, device_id: int, days: int) -> Sequence[DayRow]:
        """What a device, by its row, sent on the last `days` days, today among them; idle days are left out.

        Other processes write what they noted within seconds.

        Raises:
            StorageError: the database does not answer.
        """
        await self.save()
        first_day = int(self._now()) // DAY_SECONDS - days + 1
        return await self._database.read(partial(rows.of_device, device_id=device_id, first_day=first_day))

    def _add(self, key: _Key, counted: list[int]) -> None:
        before = self._unsaved.get(key)
        self._unsaved[key] = counted if before is None else [a + b for a, b in zip(before, counted, strict=True)]
