"""The server processes that share one database: who is alive, what each serves, and who holds which lease."""

import asyncio
import secrets
from collections.abc import Callable, Collection, Sequence
from enum import StrEnum
from functools import partial

from cloud_server.errors import ConflictError
from cloud_server.storage.database import Database
from cloud_server.storage.rows import replicas as rows

LIVE_SECONDS = 10.0
"""A process that has not been heard of for so long has ended."""
LEASE_SECONDS = 15.0
NOTE_SECONDS = 3.0
"""How long what a process said of itself need not be said again."""
LOOK_SECONDS = 0.2


class Lease(StrEnum):
    """What one process at a time does for all of them."""

    SIGNING = "signing"
    RETENTION = "retention"


class Replicas:
    """This process among the others.

    Args:
        monotonic: seconds on a clock that never goes back.
    """

    def __init__(self, database: Database, monotonic: Callable[[], float]) -> None:
        self._database = database
        self._monotonic = monotonic
        self._own_id = secrets.token_hex(4)
        self._noted: frozenset[str] | None = None
        self._noted_at = 0.0

    def share_of(self, count: int) -> int:
        """A number below `count` for this process; two processes may have the same one."""
        return int(self._own_id, 16) % count

    async def note(self, serves: Collection[str]) -> None:
        """Tell the other processes what this one serves; cheap when that has just been said.

        Raises:
            StorageError: the database does not answer.
        """
        wanted = frozenset(serves)
        if wanted == self._noted and self._monotonic() - self._noted_at < NOTE_SECONDS:
            return
        job = partial(rows.note, replica_id=self._own_id, serves=wanted, forget_seconds=10 * LIVE_SECONDS)
        await self._database.write(job)
        self._noted, self._noted_at = wanted, self._monotonic()

    async def leave(self) -> None:
        """Tell the other processes that this one ends, and let them have its leases.

        Raises:
            StorageError: the database does not answer; the others find out by themselves.
        """
        await self._database.write(partial(rows.leave, replica_id=self._own_id))

    async def require_served(self, name: str, max_seconds: float) -> None:
        """Wait until every live process serves a bundle.

        Raises:
            ConflictError: one does not come to it in time; names it.
            StorageError: the database does not answer.
        """
        give_up = self._monotonic() + max_seconds
        while late := [one.id for one in await self._live() if name not in one.serves]:
            if self._monotonic() > give_up:
                raise ConflictError(f"replica {late[0]} does not serve {name}; its log says why. Assign again later")
            await asyncio.sleep(LOOK_SECONDS)

    async def has_others(self) -> bool:
        """Whether another process is alive.

        Raises:
            StorageError: the database does not answer.
        """
        return any(one.id != self._own_id for one in await self._live())

    async def may_lead(self, lease: Lease) -> bool:
        """Whether this process does what one process at a time should; asking takes or keeps the lease.

        Raises:
            StorageError: the database does not answer.
        """
        job = partial(rows.take_lease, name=lease.value, holder=self._own_id, seconds=LEASE_SECONDS)
        return await self._database.write(job)

    async def _live(self) -> Sequence[rows.ReplicaRow]:
        return await self._database.read(partial(rows.live, within_seconds=LIVE_SECONDS))
