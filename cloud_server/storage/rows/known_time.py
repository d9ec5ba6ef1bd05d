"""The row that says what is known of the time."""

from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from cloud_server.storage.schema import known_time

_ONLY_ID = 1


class KnownTime(NamedTuple):
    """What is known of the time; seconds since 1970.

    Attributes:
        at: the time when somebody kept house last.
        doubted: what a clock said then that nobody believes yet; None where it is believed.
        held_seconds: for how long that clock has held.
    """

    at: float
    doubted: float | None
    held_seconds: float


def read(connection: Connection) -> KnownTime | None:
    """What is known; None in a new database."""
    row = connection.execute(select(*(known_time.c[name] for name in KnownTime._fields))).one_or_none()
    return None if row is None else KnownTime(*row)


def write(connection: Connection, known: KnownTime) -> None:
    """Keep what is known now."""
    connection.execute(delete(known_time))
    connection.execute(insert(known_time), known._asdict() | {"id": _ONLY_ID})
