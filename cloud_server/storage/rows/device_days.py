"""Rows of what single devices sent, day by day: how many frames of theirs were answered, and what that cost in bytes.

A day is counted since 1970, in UTC. Sums are only added to, by any number of processes.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, select, tuple_

from cloud_server.storage.database import add_later
from cloud_server.storage.schema import device_days, devices

_KEY = tuple_(*device_days.primary_key.columns)


class DayRow(NamedTuple):
    """The answered uploads of a device on one day, its fields the table's columns.

    Args:
        frames: that were answered, each time that they were; companions are none.
        payload_bytes: of the bodies; http_bytes: of the requests around them; answer_bytes: of all that came back.
    """

    device_id: int
    day: int
    frames: int
    payload_bytes: int
    http_bytes: int
    answer_bytes: int


def add(connection: Connection, rows: Sequence[DayRow]) -> None:
    """Add to the sums of devices; those that were forgotten or deleted meanwhile are passed over."""
    wanted = {row.device_id for row in rows}
    is_known = devices.c.id.in_(sorted(wanted)) & devices.c.forgotten_at.is_(None)
    known = frozenset(connection.execute(select(devices.c.id).where(is_known)).scalars())
    for row in rows:
        if row.device_id in known:
            add_later(connection, device_days, row)


def of_device(connection: Connection, device_id: int, first_day: int) -> Sequence[DayRow]:
    """What a device sent from a day on, in the order of time; days without anything are left out."""
    wanted = (device_days.c.device_id == device_id) & (device_days.c.day >= first_day)
    return [DayRow(*row) for row in connection.execute(select(device_days).where(wanted).order_by(device_days.c.day))]


def before(connection: Connection, day: int, limit: int) -> Sequence[tuple[int, int]]:
    """(device, day) of at most `limit` rows from before a day."""
    old = select(device_days.c.device_id, device_days.c.day).where(device_days.c.day < day)
    return [(device_id, of) for device_id, of in connection.execute(old.order_by(device_days.c.day).limit(limit))]


def remove(connection: Connection, keys: Sequence[tuple[int, int]]) -> int:
    """Delete sums; returns how many rows went."""
    return connection.execute(delete(device_days).where(_KEY.in_(keys))).rowcount
