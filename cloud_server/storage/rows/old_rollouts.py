"""What rollouts that ended long ago counted of single devices: it goes, a bounded part at a time.

The rollout stays, with what its gates said and how many devices had which outcome.
"""

import json

from sqlalchemy import Connection, delete, exists, or_, select, tuple_, update

from cloud_server.storage.rollout_tables import rollout_counts, rollout_devices, rollouts
from cloud_server.storage.rows.rollout_counts import tally

_OF_DEVICES = (rollout_counts, rollout_devices)


def with_devices(connection: Connection, before: float) -> str | None:
    """A rollout that ended before a time (seconds since 1970) and has rows of devices still; None: there is none."""
    has_rows = or_(*(exists().where(table.c.rollout == rollouts.c.id) for table in _OF_DEVICES))
    query = select(rollouts.c.id).where(rollouts.c.ended_at < before, has_rows)
    return connection.execute(query.order_by(rollouts.c.ended_at).limit(1)).scalar_one_or_none()


def remove_some(connection: Connection, rollout: str, limit: int) -> int:
    """Delete at most `limit` rows of a rollout's devices, after their outcomes are summed up; returns how many went."""
    is_to_sum = (rollouts.c.id == rollout) & rollouts.c.outcomes.is_(None)
    if connection.execute(select(rollouts.c.id).where(is_to_sum)).first() is not None:
        connection.execute(update(rollouts).where(is_to_sum).values(outcomes=json.dumps(tally(connection, rollout))))
    for table in _OF_DEVICES:
        key = table.primary_key.columns
        found = connection.execute(select(*key).where(table.c.rollout == rollout).limit(limit)).all()
        if found:
            return connection.execute(delete(table).where(tuple_(*key).in_(map(tuple, found)))).rowcount
    return 0
