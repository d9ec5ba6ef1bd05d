"""Rows of what devices have taken of their quotas at all server processes together."""

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, literal, select, update

from cloud_server.storage.database import insert_or_ignore
from cloud_server.storage.schema import devices, spending

PART_ROWS = 1000


def add(connection: Connection, taken: Mapping[int, int]) -> dict[int, int]:
    """Add frames to the devices' totals; returns the totals of these devices, by the devices' rows.

    In the devices' order, so that two processes cannot wait for each other. Devices that were deleted are passed over.
    """
    rows = [{"device": device, "taken": taken[device]} for device in sorted(taken)]
    parts = [[row["device"] for row in rows[start : start + PART_ROWS]] for start in range(0, len(rows), PART_ROWS)]
    for part in parts:
        there = select(devices.c.id, literal(0)).where(devices.c.id.in_(part)).order_by(devices.c.id)
        connection.execute(insert_or_ignore(spending).from_select(["device_id", "frames"], there))
    adding = update(spending).where(spending.c.device_id == bindparam("device"))
    connection.execute(adding.values(frames=spending.c.frames + bindparam("taken")), rows)
    totals: dict[int, int] = {}
    for part in parts:
        query = select(spending.c.device_id, spending.c.frames).where(spending.c.device_id.in_(part))
        totals |= {row.device_id: row.frames for row in connection.execute(query)}
    return totals
