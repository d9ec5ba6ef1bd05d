"""Quotas across processes: each adds what it took of every device's bucket, and takes what the others added.

So a device that spreads its frames over n processes gets its rate, not n times it, a few seconds late: until then each
process gives it a burst of its own.
"""

from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic

from sqlalchemy import Connection, bindparam, select, update

from cloud_server.fleet.quota import Quota
from cloud_server.fleet.replicas import Replicas
from cloud_server.storage.database import Database, insert_or_ignore
from cloud_server.storage.schema import spending

PART_ROWS = 1000


class Spending:
    """This process's part in it."""

    def __init__(
        self, database: Database, quota: Quota[int], replicas: Replicas, clock: Callable[[], float] = monotonic
    ) -> None:
        self._database = database
        self._quota = quota
        self._replicas = replicas
        self._clock = clock
        self._totals: dict[int, int] = {}

    async def share(self) -> None:
        """Tell and hear what was taken since the last time; a process that is alone has nobody to tell.

        Of a device that was not here in the last interval, only what is taken from now on is heard of.

        Raises:
            StorageError: the database does not answer; what was taken here meanwhile is not told.
        """
        own = self._quota.taken()
        if not own or not await self._replicas.has_others():
            return
        totals = await self._database.write(partial(_add, own=own))
        for device, total in totals.items():
            before = total - own[device]
            self._quota.spend(device, before - self._totals.get(device, before), self._clock())
        self._totals = totals


def _add(connection: Connection, own: Mapping[int, int]) -> dict[int, int]:
    """Add to the totals; returns them. In the devices' order, so that two processes cannot wait for each other."""
    rows = [{"device": device, "taken": own[device]} for device in sorted(own)]
    connection.execute(insert_or_ignore(spending), [{"device_id": row["device"], "frames": 0} for row in rows])
    adding = update(spending).where(spending.c.device_id == bindparam("device"))
    connection.execute(adding.values(frames=spending.c.frames + bindparam("taken")), rows)
    totals: dict[int, int] = {}
    for start in range(0, len(rows), PART_ROWS):
        part = [row["device"] for row in rows[start : start + PART_ROWS]]
        query = select(spending.c.device_id, spending.c.frames).where(spending.c.device_id.in_(part))
        totals |= {row.device_id: row.frames for row in connection.execute(query)}
    return totals
