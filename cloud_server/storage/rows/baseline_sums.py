"""Rows of hourly sums: what frames that were measured cost, and what ordinary JPEG would have cost in their place."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from cloud_server.storage.database import add_later
from cloud_server.storage.sum_tables import hourly_baselines


class BaselineSum(NamedTuple):
    """Frames that were measured in an hour, its fields the table's columns.

    Args:
        payload_bytes: of the frames as they came, each a JPEG of its own, without HTTP around it.
        baseline_bytes: of ordinary JPEG files of the same pictures, as far as can be told.
    """

    family: str
    tables: str
    hour: int
    shard: int
    frames: int
    payload_bytes: int
    baseline_bytes: int


class Measured(NamedTuple):
    """The same of some hours, by tables."""

    tables: str
    frames: int
    payload_bytes: int
    baseline_bytes: int


def add(connection: Connection, rows: Sequence[BaselineSum]) -> None:
    """Add to the sums."""
    for row in rows:
        add_later(connection, hourly_baselines, row)


def measured(connection: Connection, family: str, first_hour: int) -> Sequence[Measured]:
    """What was measured of a family's frames from an hour on, by tables."""
    of = hourly_baselines.c
    counted = [func.sum(of[name]) for name in Measured._fields[1:]]
    query = select(of.tables, *counted).where(of.family == family, of.hour >= first_hour)
    return [Measured(tables, *map(int, numbers)) for tables, *numbers in connection.execute(query.group_by(of.tables))]
