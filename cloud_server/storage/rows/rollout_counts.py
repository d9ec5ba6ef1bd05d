"""Rows of what was seen of single devices in a rollout: what became of each, what was counted, and what gates said.

Counts are only added to, by any number of processes. They are read for all devices of a rollout at once, ten thousand
and more: as plain tuples, whose places are the fields of the row that is written.
"""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, case, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import Insert

from cloud_server.storage.database import add_later, fetch_plain
from cloud_server.storage.rollout_tables import rollout_counts, rollout_devices, rollout_verdicts
from cloud_server.storage.schema import devices


class Arm(StrEnum):
    """Which of a rollout's bundles a frame was made with."""

    OLD = "old"
    NEW = "new"


class ReachedRow(NamedTuple):
    """A device that a rollout has reached, and since when, as far as was heard of it.

    Args:
        proofs: frames of it that the new bundle's classifier answered as exact.
    """

    device_id: int
    exposed_at: float
    outcome: str | None
    settled_at: float | None
    proofs: int


class ReachedDevice(NamedTuple):
    """A device that a rollout has reached, as operators see it; `id` is its row, `public_id` its own name."""

    id: int
    public_id: str
    name: str | None
    last_tables: str | None
    exposed_at: float
    outcome: str | None
    settled_at: float | None
    proofs: int


class CountRow(NamedTuple):
    """What was counted of a device in one arm; `encode_seconds` is what it told last, None: nothing."""

    device_id: int
    arm: str
    frames: int
    bytes: int
    fallback: int
    refused: int
    encode_seconds: float | None


class VerdictRow(NamedTuple):
    """What a gate said at a look: `document` is JSON."""

    stage: int
    look: int
    gate: str
    at: float
    opinion: str
    document: str


def put_outcomes(connection: Connection, rollout: str, rows: Sequence[ReachedRow]) -> None:
    """Note what became of devices; since when each was exposed stays as it was noted first."""
    adding = Insert(rollout_devices)
    changed = {name: adding.excluded[name] for name in ("outcome", "settled_at", "proofs")}
    upsert = adding.on_conflict_do_update(index_elements=["rollout", "device_id"], set_=changed)
    in_order = sorted(rows, key=lambda row: row.device_id)  # so that two processes cannot wait for each other
    if in_order:
        connection.execute(upsert, [{"rollout": rollout} | row._asdict() for row in in_order])


def put_off(connection: Connection, rollout: str, seconds: float, until: float) -> None:
    """Count a rollout's devices that are not settled as exposed so much later, and none after a time."""
    later = rollout_devices.c.exposed_at + seconds
    exposed_at = case((later > until, until), else_=later)
    this = (rollout_devices.c.rollout == rollout) & (rollout_devices.c.settled_at.is_(None))
    connection.execute(update(rollout_devices).where(this).values(exposed_at=exposed_at))


def forget_outcomes(connection: Connection, rollout: str, outcomes: Collection[str]) -> None:
    """Forget the devices of which this became, and since when they were exposed."""
    this = (rollout_devices.c.rollout == rollout) & rollout_devices.c.outcome.in_(outcomes)
    connection.execute(delete(rollout_devices).where(this))


def reached(connection: Connection, rollout: str) -> Sequence[tuple[Any, ...]]:
    """The devices that a rollout has reached, each as a `ReachedRow`, by row."""
    return _of(connection, rollout_devices, ReachedRow._fields, rollout)


def reached_page(
    connection: Connection, rollout: str, outcome: str | None, after: int | None, limit: int
) -> Sequence[ReachedDevice]:
    """At most `limit` devices that a rollout has reached, oldest first; those that were forgotten are left out.

    Args:
        outcome: only those with this one.
        after: only devices of rows after this one.
    """
    of, its = rollout_devices.c, devices.c
    query = (
        select(its.id, its.public_id, its.name, its.last_tables, of.exposed_at, of.outcome, of.settled_at, of.proofs)
        .join(devices, its.id == of.device_id)
        .where(of.rollout == rollout, its.forgotten_at.is_(None), its.id > (after or 0))
    )
    asked = query if outcome is None else query.where(of.outcome == outcome)
    return [ReachedDevice(*row) for row in connection.execute(asked.order_by(its.id).limit(limit))]


def add_counts(connection: Connection, rollout: str, row: CountRow) -> None:
    """Add to what was counted of a device; of `encode_seconds` see `tell_encode_seconds`."""
    add_later(connection, rollout_counts, (rollout, *row[:-1]))


def tell_encode_seconds(connection: Connection, rollout: str, device_id: int, arm: Arm, seconds: float) -> None:
    """Note how long a device tells that encoding takes, in the place of what it told before."""
    adding = Insert(rollout_counts)
    changed = adding.on_conflict_do_update(
        index_elements=["rollout", "device_id", "arm"], set_={"encode_seconds": adding.excluded.encode_seconds}
    )
    nothing = CountRow(device_id, arm.value, 0, 0, 0, 0, seconds)
    connection.execute(changed, {"rollout": rollout} | nothing._asdict())


def counts(connection: Connection, rollout: str, arm: Arm) -> Sequence[tuple[Any, ...]]:
    """What was counted of every device in one arm, each as a `CountRow` without its arm, by row."""
    names = [name for name in CountRow._fields if name != "arm"]
    return _of(connection, rollout_counts, names, rollout, rollout_counts.c.arm == arm.value)


def tally(connection: Connection, rollout: str) -> Mapping[str, int]:
    """How many of the devices that a rollout has reached have which outcome."""
    of = rollout_devices.c
    query = select(of.outcome, func.count()).where(of.rollout == rollout, of.outcome.is_not(None)).group_by(of.outcome)
    return dict(fetch_plain(connection, query))


def add_verdicts(connection: Connection, rollout: str, verdicts: Sequence[VerdictRow]) -> None:
    """Keep what gates said."""
    rows = [{"rollout": rollout} | row._asdict() for row in verdicts]
    if rows:
        connection.execute(insert(rollout_verdicts), rows)


def verdicts(connection: Connection, rollout: str) -> Sequence[VerdictRow]:
    """What gates said, in the order of time, and of their names."""
    of = rollout_verdicts.c
    query = select(*(of[name] for name in VerdictRow._fields)).where(of.rollout == rollout)
    return [VerdictRow(*row) for row in connection.execute(query.order_by(of.at, of.gate))]


def _of(
    connection: Connection, table: Table, names: Sequence[str], rollout: str, *conditions: ColumnElement[bool]
) -> Sequence[tuple[Any, ...]]:
    """All rows of a rollout, in the order of the key."""
    query = select(*(table.c[name] for name in names)).where(table.c.rollout == rollout, *conditions)
    return fetch_plain(connection, query.order_by(*table.primary_key))
