"""Quotas across processes: each adds what it took of every device's bucket, and takes what the others added.

So a device that spreads its frames over n processes gets its rate, not n times it, a few seconds late: until then each
process gives it a burst of its own.
"""

from collections.abc import Callable
from functools import partial

from cloud_server.fleet.quota import Quota
from cloud_server.fleet.replicas import Replicas
from cloud_server.storage.database import Database
from cloud_server.storage.rows import spending as rows


class Spending:
    """This process's part in sharing quotas.

    Args:
        monotonic: seconds on a clock that never goes back.
    """

    def __init__(
        self, database: Database, quota: Quota[int], replicas: Replicas, monotonic: Callable[[], float]
    ) -> None:
        self._database = database
        self._quota = quota
        self._replicas = replicas
        self._monotonic = monotonic
        self._totals: dict[int, int] = {}

    async def share(self) -> None:
        """Tell the other processes what was taken here since the last call, and take what they took.

        Of a device that took nothing here since the last call, only what is taken from now on is heard of.

        Raises:
            StorageError: the database does not answer; what was taken here meanwhile is not told.
        """
        own = self._quota.taken()
        if not own or not await self._replicas.has_others():
            return
        totals = await self._database.write(partial(rows.add, taken=own))
        for device, total in totals.items():
            before = total - own[device]
            self._quota.spend(device, before - self._totals.get(device, before), self._monotonic())
        self._totals = totals
