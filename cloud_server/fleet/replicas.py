"""The server processes that share one database: who is alive, what each serves, and whose turn housekeeping is.

Times are the database's, so that the processes' clocks need not agree.
"""

import asyncio
import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from time import monotonic

from sqlalchemy import Connection, delete, func, insert, select, update

from cloud_server.errors import ConflictError
from cloud_server.storage.database import Database, insert_or_ignore
from cloud_server.storage.schema import leases, replicas

LIVE_SECONDS = 10.0
"""A process that has not been heard of for so long is gone."""
LEASE_SECONDS = 15.0
NOTE_SECONDS = 3.0
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Replica:
    """Another process, or this one, and the names of the bundles it can answer with."""

    replica_id: str
    serves: frozenset[str]


class Replicas:
    """This process among the others."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._own_id = secrets.token_hex(4)
        self._noted: frozenset[str] | None = None
        self._noted_at = 0.0

    async def note(self, serves: Collection[str]) -> None:
        """Tell the others what this process serves; cheap when that has just been said.

        Raises:
            StorageError: the database does not answer.
        """
        wanted = frozenset(serves)
        if wanted == self._noted and monotonic() - self._noted_at < NOTE_SECONDS:
            return
        await self._database.write(partial(_note, replica=Replica(self._own_id, wanted)))
        self._noted, self._noted_at = wanted, monotonic()

    async def leave(self) -> None:
        """Tell the others that this process ends.

        Raises:
            StorageError: the database does not answer; they find out by themselves.
        """
        await self._database.write(partial(_leave, replica_id=self._own_id))

    async def require_served(self, name: str, max_seconds: float) -> None:
        """Wait until every live process serves a bundle.

        Raises:
            ConflictError: one does not come to it in time; names it.
            StorageError: the database does not answer.
        """
        give_up = monotonic() + max_seconds
        while late := [one.replica_id for one in await self._database.read(_live) if name not in one.serves]:
            if monotonic() > give_up:
                raise ConflictError(f"replica {late[0]} does not serve {name}; its log says why. Assign again later")
            await asyncio.sleep(LOOK_SECONDS)

    async def has_others(self) -> bool:
        """Whether another process is alive.

        Raises:
            StorageError: the database does not answer.
        """
        return any(one.replica_id != self._own_id for one in await self._database.read(_live))

    async def may_lead(self) -> bool:
        """Whether this process does what one process at a time should; asking keeps the turn.

        Raises:
            StorageError: the database does not answer.
        """
        return await self._database.write(partial(_take_lease, name="housekeeping", holder=self._own_id))


def database_time(connection: Connection) -> float:
    """The database's clock: seconds since 1970, to a second."""
    now = connection.execute(select(func.current_timestamp())).scalar_one()
    return float(now.replace(tzinfo=now.tzinfo or UTC).timestamp())


def _note(connection: Connection, replica: Replica) -> None:
    now = database_time(connection)
    values = {"seen_at": now, "serves": json.dumps(sorted(replica.serves))}
    if not connection.execute(update(replicas).where(replicas.c.id == replica.replica_id).values(values)).rowcount:
        connection.execute(insert(replicas), values | {"id": replica.replica_id})
    connection.execute(delete(replicas).where(replicas.c.seen_at < now - 10 * LIVE_SECONDS))


def _leave(connection: Connection, replica_id: str) -> None:
    connection.execute(delete(replicas).where(replicas.c.id == replica_id))
    connection.execute(delete(leases).where(leases.c.holder == replica_id))


def _live(connection: Connection) -> list[Replica]:
    rows = connection.execute(select(replicas).where(replicas.c.seen_at > database_time(connection) - LIVE_SECONDS))
    return [Replica(row.id, frozenset(json.loads(row.serves))) for row in rows]


def _take_lease(connection: Connection, name: str, holder: str) -> bool:
    now = database_time(connection)
    values = {"holder": holder, "until": now + LEASE_SECONDS}
    is_free = (leases.c.until < now) | (leases.c.holder == holder)
    taken = connection.execute(update(leases).where(leases.c.name == name, is_free).values(values)).rowcount
    return bool(taken or connection.execute(insert_or_ignore(leases), values | {"name": name}).rowcount)
