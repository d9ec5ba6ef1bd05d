"""The server processes that share one database: who is alive, what each serves, and who holds which lease."""

import asyncio
import secrets
from collections.abc import Callable, Collection, Sequence
from enum import StrEnum
from functools import partial

import structlog

from cloud_server.errors import ConflictError, DatabaseReplacedError
from cloud_server.storage.database import Database
from cloud_server.storage.rows import replicas as rows

LIVE_SECONDS = 10.0
"""A process that has not been heard of for so long has ended."""
FORGET_SECONDS = 86400.0
"""A process that was not heard of for so long is taken to be gone for good; if it comes back, it ends."""
LEASE_SECONDS = 15.0
NOTE_SECONDS = 3.0
"""How long what a process said of itself need not be said again."""
LOOK_SECONDS = 0.2
_KEYS_ADVICE = "copy them into this process's folder of online keys; it signs nothing until then, and needs no restart"
_log = structlog.get_logger()


class Lease(StrEnum):
    """What one process at a time does for all of them."""

    SIGNING = "signing"
    RETENTION = "retention"
    ROLLOUTS = "rollouts"
    WEBHOOKS = "webhooks"


class Replicas:
    """This process among the others.

    Args:
        monotonic: seconds on a clock that never goes back.

    Attributes:
        database_replaced: set once the database has lost what this process noted.
    """

    def __init__(self, database: Database, monotonic: Callable[[], float]) -> None:
        self._database = database
        self._monotonic = monotonic
        self._own_id = secrets.token_hex(4)
        self._noted: rows.ReplicaRow | None = None
        self._missing_keys: tuple[str, ...] = ()
        self._seen_at: float | None = None
        self.database_replaced = asyncio.Event()
        self._noted_at = 0.0
        self._silence_seconds = 0.0
        self._silent_until = 0.0

    @property
    def own_id(self) -> str:
        """This process's id; a new one each time that it starts."""
        return self._own_id

    def share_of(self, count: int) -> int:
        """A number below `count` for this process; two processes may have the same one."""
        return int(self._own_id, 16) % count

    async def note(self, serves: Collection[str], missing_keys: tuple[str, ...] = ()) -> None:
        """Tell the other processes what this one serves and which keys it lacks; cheap when that has just been said.

        Raises:
            DatabaseReplacedError: a backup was restored under this process; `database_replaced` is set.
            StorageError: the database does not answer.
        """
        self._tell_of_keys(missing_keys)
        wanted = rows.ReplicaRow(self._own_id, frozenset(serves), missing_keys)
        if wanted == self._noted and self._monotonic() - self._noted_at < NOTE_SECONDS:
            return
        job = partial(rows.note, row=wanted, before=self._seen_at, forget_seconds=FORGET_SECONDS)
        try:
            self._seen_at = await self._database.write(job)
        except DatabaseReplacedError:
            self.database_replaced.set()
            raise
        self._count_silence()
        self._noted, self._noted_at = wanted, self._monotonic()

    async def leave(self) -> None:
        """Tell the other processes that this one ends, and let them have its leases.

        Raises:
            StorageError: the database does not answer; the others find out by themselves.
        """
        await self._database.write(partial(rows.leave, replica_id=self._own_id))

    async def require_served(self, name: str, max_seconds: float) -> None:
        """Wait until every live process serves a bundle or a fallback.

        Raises:
            ConflictError: one does not come to it in time; names it.
            StorageError: the database does not answer.
        """
        give_up = self._monotonic() + max_seconds
        while late := [one.id for one in await self.live() if name not in one.serves]:
            if self._monotonic() > give_up:
                raise ConflictError(f"replica {late[0]} does not serve {name}; its log says why. Try again later")
            await asyncio.sleep(LOOK_SECONDS)

    async def has_others(self) -> bool:
        """Whether another process is alive.

        Raises:
            StorageError: the database does not answer.
        """
        return any(one.id != self._own_id for one in await self.live())

    async def may_lead(self, lease: Lease) -> bool:
        """Whether this process does what one process at a time should; asking takes or keeps the lease.

        Raises:
            StorageError: the database does not answer.
        """
        job = partial(rows.take_lease, name=lease.value, holder=self._own_id, seconds=LEASE_SECONDS)
        return await self._database.write(job)

    async def give_up(self, lease: Lease) -> None:
        """Let another process have a lease at once, where this one has it.

        Raises:
            StorageError: the database does not answer.
        """
        await self._database.write(partial(rows.free_lease, name=lease.value, holder=self._own_id))

    async def live(self) -> Sequence[rows.ReplicaRow]:
        """The processes that are alive; while the database was gone none could say so, and a moment later few have.

        Raises:
            StorageError: the database does not answer.
        """
        self._count_silence()
        is_over = self._monotonic() - self._silent_until > LIVE_SECONDS
        within_seconds = LIVE_SECONDS + (0.0 if is_over else self._silence_seconds)
        return await self._database.read(partial(rows.live, within_seconds=within_seconds))

    def is_own(self, replica_id: str) -> bool:
        """Whether a process is this one."""
        return replica_id == self._own_id

    def _count_silence(self) -> None:
        """Remember how long this process could say nothing, where others would have taken it to have ended."""
        now = self._monotonic()
        if self._noted is not None and now - self._noted_at > LIVE_SECONDS:
            self._silence_seconds, self._silent_until = now - self._noted_at, now

    def _tell_of_keys(self, missing: tuple[str, ...]) -> None:
        """Say once which online keys this process lacks, and once that it has them all."""
        if missing and missing != self._missing_keys:
            _log.error("online-keys-missing", replica=self._own_id, keys=missing, advice=_KEYS_ADVICE)
        elif self._missing_keys and not missing:
            _log.info("online-keys-found", replica=self._own_id)
        self._missing_keys = missing
