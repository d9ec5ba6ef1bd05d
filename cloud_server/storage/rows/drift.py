"""Rows of how the signals of each version stand in each server process; times of saving are the database's."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from cloud_server.storage.quality_tables import drift_signals
from cloud_server.storage.rows.replicas import database_time

FORGET_SECONDS = 86400.0


class DriftRow(NamedTuple):
    """A signal of a version in one process; `since` in seconds since 1970."""

    family: str
    counter: int
    signal: str
    score: float | None
    frames: int
    alarms: int
    since: float | None


def save(connection: Connection, replica: str, rows: Sequence[DriftRow]) -> None:
    """Put these in the place of all rows of a process; what a process that ended left goes after a day."""
    now = database_time(connection)
    is_old = drift_signals.c.saved_at < now - FORGET_SECONDS
    connection.execute(delete(drift_signals).where((drift_signals.c.replica == replica) | is_old))
    if rows:
        connection.execute(
            insert(drift_signals), [row._asdict() | {"replica": replica, "saved_at": now} for row in rows]
        )


def lately(connection: Connection, within_seconds: float) -> Sequence[tuple[str, DriftRow]]:
    """What processes saved within so many seconds, with each one's id: by family, version, signal and process."""
    of = drift_signals.c
    columns = (of.replica, of.family, of.counter, of.signal, of.score, of.frames, of.alarms, of.since)
    is_late = of.saved_at > database_time(connection) - within_seconds
    query = select(*columns).where(is_late).order_by(of.family, of.counter, of.signal, of.replica)
    return [(row[0], DriftRow(*row[1:])) for row in connection.execute(query)]
