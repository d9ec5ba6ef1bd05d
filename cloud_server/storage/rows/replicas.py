"""Rows of the server processes that share the database, and of the leases that one of them holds at a time.

Times are the database's, so that the processes' clocks need not agree.
"""

import json
from collections.abc import Collection, Sequence
from datetime import UTC
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from cloud_server.storage.database import insert_or_ignore
from cloud_server.storage.schema import leases, replicas


class ReplicaRow(NamedTuple):
    """A process, and the names of the bundles and fallbacks it can answer with."""

    id: str
    serves: frozenset[str]


def database_time(connection: Connection) -> float:
    """The database's clock: seconds since 1970, to a second."""
    now = connection.execute(select(func.current_timestamp())).scalar_one()
    return float(now.replace(tzinfo=now.tzinfo or UTC).timestamp())


def note(connection: Connection, replica_id: str, serves: Collection[str], forget_seconds: float) -> None:
    """Say that a process is alive and what it serves; forget those not heard of for `forget_seconds`."""
    now = database_time(connection)
    values = {"seen_at": now, "serves": json.dumps(sorted(serves))}
    if not connection.execute(update(replicas).where(replicas.c.id == replica_id).values(values)).rowcount:
        connection.execute(insert(replicas), values | {"id": replica_id})
    connection.execute(delete(replicas).where(replicas.c.seen_at < now - forget_seconds))


def leave(connection: Connection, replica_id: str) -> None:
    """Forget a process, and free the leases that it holds."""
    connection.execute(delete(replicas).where(replicas.c.id == replica_id))
    connection.execute(delete(leases).where(leases.c.holder == replica_id))


def live(connection: Connection, within_seconds: float) -> Sequence[ReplicaRow]:
    """The processes that were heard of within so many seconds."""
    is_live = replicas.c.seen_at > database_time(connection) - within_seconds
    rows = connection.execute(select(replicas.c.id, replicas.c.serves).where(is_live))
    return [ReplicaRow(row.id, frozenset(json.loads(row.serves))) for row in rows]


def take_lease(connection: Connection, name: str, holder: str, seconds: float) -> bool:
    """Take a lease, or keep it, for so many seconds; whether the holder has it now."""
    now = database_time(connection)
    values = {"holder": holder, "until": now + seconds}
    is_free = (leases.c.until < now) | (leases.c.holder == holder)
    taken = connection.execute(update(leases).where(leases.c.name == name, is_free).values(values)).rowcount
    return bool(taken or connection.execute(insert_or_ignore(leases), values | {"name": name}).rowcount)
