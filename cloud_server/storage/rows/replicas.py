"""Rows of the server processes that share the database, and of the leases that one of them holds at a time.

Times are the database's, so that the processes' clocks need not agree.
"""

import json
from collections.abc import Sequence
from datetime import UTC
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from cloud_server.errors import DatabaseReplacedError
from cloud_server.storage.database import insert_or_ignore
from cloud_server.storage.schema import leases, replicas


class ReplicaRow(NamedTuple):
    """A process, the names of the bundles and fallbacks it can answer with, and of the online keys that it lacks."""

    id: str
    serves: frozenset[str]
    missing_keys: tuple[str, ...]


def database_time(connection: Connection) -> float:
    """The database's clock: seconds since 1970, to a second."""
    now = connection.execute(select(func.current_timestamp())).scalar_one()
    return float(now.replace(tzinfo=now.tzinfo or UTC).timestamp())


def note(connection: Connection, row: ReplicaRow, before: float | None, forget_seconds: float) -> float:
    """Say that a process is alive and what it serves; forget those not heard of for `forget_seconds`.

    Args:
        before: what the last call returned; None at the first.

    Returns:
        The time that is noted.

    Raises:
        DatabaseReplacedError: what the last call noted is not there any more, nor anything later.
    """
    now, replica_id = database_time(connection), row.id
    if before is not None:
        query = select(replicas.c.seen_at).where(replicas.c.id == replica_id)
        noted = connection.execute(query).scalar_one_or_none()
        if noted is None or noted < before:
            raise DatabaseReplacedError
    values = {"seen_at": now, "serves": json.dumps(sorted(row.serves)), "missing_keys": json.dumps(row.missing_keys)}
    if not connection.execute(update(replicas).where(replicas.c.id == replica_id).values(values)).rowcount:
        connection.execute(insert(replicas), values | {"id": replica_id})
    connection.execute(delete(replicas).where(replicas.c.seen_at < now - forget_seconds))
    return now


def leave(connection: Connection, replica_id: str) -> None:
    """Forget a process, and free the leases that it holds."""
    connection.execute(delete(replicas).where(replicas.c.id == replica_id))
    connection.execute(delete(leases).where(leases.c.holder == replica_id))


def live(connection: Connection, within_seconds: float) -> Sequence[ReplicaRow]:
    """The processes that were heard of within so many seconds."""
    is_live = replicas.c.seen_at > database_time(connection) - within_seconds
    query = select(replicas.c.id, replicas.c.serves, replicas.c.missing_keys).where(is_live).order_by(replicas.c.id)
    return [
        ReplicaRow(row.id, frozenset(json.loads(row.serves)), tuple(json.loads(row.missing_keys or "[]")))
        for row in connection.execute(query)
    ]


def free_lease(connection: Connection, name: str, holder: str) -> None:
    """Let others have a lease at once, if it is the holder's."""
    connection.execute(delete(leases).where((leases.c.name == name) & (leases.c.holder == holder)))


def take_lease(connection: Connection, name: str, holder: str, seconds: float) -> bool:
    """Take a lease, or keep it, for so many seconds; whether the holder has it now.

    One that would hold for longer was given before the clock was set back, and is free.
    """
    now = database_time(connection)
    values = {"holder": holder, "until": now + seconds}
    is_free = (leases.c.until < now) | (leases.c.until > now + seconds) | (leases.c.holder == holder)
    taken = connection.execute(update(leases).where(leases.c.name == name, is_free).values(values)).rowcount
    return bool(taken or connection.execute(insert_or_ignore(leases), values | {"name": name}).rowcount)
