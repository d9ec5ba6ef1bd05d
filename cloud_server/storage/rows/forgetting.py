"""What a forgotten device leaves: found by its row, which stays, and deleted a bounded part at a time.

Hourly sums stay: they name no device.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select, update

from cloud_server.storage.rollout_tables import rollout_counts, rollout_devices
from cloud_server.storage.rows import results, samples
from cloud_server.storage.schema import (
    assignment_events,
    assignments,
    device_days,
    device_tags,
    devices,
    diagnostics,
    heartbeats,
    spending,
)
from cloud_server.storage.schema import results as results_table
from cloud_server.storage.schema import samples as samples_table

_SMALL = (
    assignment_events,
    device_days,
    device_tags,
    diagnostics,
    heartbeats,
    rollout_counts,
    rollout_devices,
    spending,
)
"""Of these a device has a bounded number of rows."""


def to_empty(connection: Connection, limit: int) -> Sequence[int]:
    """The rows of at most `limit` forgotten devices whose data may still be there, those forgotten first first."""
    is_left = devices.c.forgotten_at.is_not(None) & devices.c.emptied_at.is_(None)
    query = select(devices.c.id).where(is_left).order_by(devices.c.forgotten_at).limit(limit)
    return connection.execute(query).scalars().all()


def delete_some(connection: Connection, device_id: int, limit: int, now: float) -> int:
    """Delete samples of a device, then answers with their labels, then the rest; returns how many rows went.

    Args:
        limit: of samples, and of answers; their files are deleted by whoever sweeps `sample_files`.
    """
    ids = connection.execute(select(samples_table.c.id).where(samples_table.c.device_id == device_id).limit(limit))
    if sampled := ids.scalars().all():
        return samples.remove(connection, sampled, now)
    keys = connection.execute(
        select(results_table.c.device_id, results_table.c.sequence)
        .where(results_table.c.device_id == device_id)
        .limit(limit)
    )
    if answered := [(row.device_id, row.sequence) for row in keys]:
        return results.remove(connection, answered)
    return _delete_rest(connection, device_id, now)


def _delete_rest(connection: Connection, device_id: int, now: float) -> int:
    """Delete what a device has few rows of, and end its holds, whose reasons may say something of people."""
    ended = (assignments.c.device_id == device_id) & assignments.c.ended_at.is_(None)
    connection.execute(update(assignments).where(ended).values(ended_at=now))
    connection.execute(update(assignments).where(assignments.c.device_id == device_id).values(reason=None))
    return sum(connection.execute(delete(table).where(table.c.device_id == device_id)).rowcount for table in _SMALL)


def finish(connection: Connection, device_id: int, forgotten_before: float, now: float) -> None:
    """Note that a device's data are gone, unless it was forgotten so lately that another process may still add some."""
    this = (devices.c.id == device_id) & (devices.c.forgotten_at < forgotten_before)
    connection.execute(update(devices).where(this).values(emptied_at=now, name=None))
