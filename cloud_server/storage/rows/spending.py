"""Rows of what devices have taken of their quotas at all server processes together."""

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, select, update

from cloud_server.storage.database import insert_or_ignore
from cloud_server.storage.schema import spending

PART_ROWS = 1000


def add(connection: Connection, taken: Mapping[int, int]) -> dict[int, int]:
    """Add frames to the devices' totals; returns the totals of these devices, by the devices' rows.

    In the devices' order, so that two processes cannot wait for each other.
    """
    rows = [{"device": device, "taken": taken[device]} for device in sorted(taken)]
    connection.execute(insert_or_ignore(spending), [{"device_id": row["device"], "frames": 0} for row in rows])
    adding = update(spending).where(spending.c.device_id == bindparam("device"))
    connection.execute(adding.values(frames=spending.c.frames + bindparam("taken")), rows)
    totals: dict[int, int] = {}
    for start in range(0, len(rows), PART_ROWS):
        part = [row["device"] for row in rows[start : start + PART_ROWS]]
        query = select(spending.c.device_id, spending.c.frames).where(spending.c.device_id.in_(part))
        totals |= {row.device_id: row.frames for row in connection.execute(query)}
    return totals
