"""Rows of what devices tell: each one's last heartbeat, and the events of its assignments."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, delete, func, select, tuple_, update

from cloud_server.storage.database import insert_or_ignore
from cloud_server.storage.schema import assignment_events, devices, heartbeats
from shared.wire import EventKind

_EVENTS_KEY = tuple_(*assignment_events.primary_key.columns)
_FAILURES = (EventKind.ROLLED_BACK.value, EventKind.REJECTED.value)


class HeartbeatRow(NamedTuple):
    """The last heartbeat of a device, its fields the table's columns; `boots` and `document` are JSON."""

    device_id: int
    received_at: float
    program: str
    outcome: str | None
    is_stale: bool
    boots: str
    document: str
    trial_target: str | None
    trial_since: float | None


class EventRow(NamedTuple):
    """What became of the bundle of an assignment on a device, its fields the table's columns."""

    device_id: int
    seq: int
    event: str
    target: str
    code: str | None
    reason: str | None
    received_at: float


class ToldRow(NamedTuple):
    """How many devices told the same of these three."""

    program: str
    outcome: str | None
    is_stale: bool
    devices: int


class TrialRow(NamedTuple):
    """How many devices of a family have a bundle on trial: those that told it lately, since when the first; others."""

    family: str
    heard: int
    oldest_since: float | None
    silent: int


def to_replace(connection: Connection, device_id: int) -> HeartbeatRow | None:
    """The last heartbeat of a device, as `last`; the row is ours until the transaction ends."""
    return _one(connection, select(heartbeats).where(heartbeats.c.device_id == device_id).with_for_update())


def put(connection: Connection, row: HeartbeatRow) -> None:
    """Store a device's heartbeat in the place of the one before."""
    if not connection.execute(insert_or_ignore(heartbeats), row._asdict()).rowcount:
        changing = update(heartbeats).where(heartbeats.c.device_id == row.device_id)
        connection.execute(changing.values(row._asdict()))


def last(connection: Connection, device_id: int) -> HeartbeatRow | None:
    """The last heartbeat of a device; None before the first."""
    return _one(connection, select(heartbeats).where(heartbeats.c.device_id == device_id))


def told(connection: Connection, since: float) -> Sequence[ToldRow]:
    """What the devices tell that were heard since then and are let in, summed up."""
    columns = (heartbeats.c.program, heartbeats.c.outcome, heartbeats.c.is_stale)
    query = select(*columns, func.count()).join(devices, devices.c.id == heartbeats.c.device_id)
    query = query.where(heartbeats.c.received_at >= since, devices.c.revoked_at.is_(None)).group_by(*columns)
    return [ToldRow(*row) for row in connection.execute(query)]


def trials(connection: Connection, heard_since: float) -> Sequence[TrialRow]:
    """The devices that are let in and last told of a bundle on trial, summed up; silent: not heard since then."""
    is_heard, is_silent = heartbeats.c.received_at >= heard_since, heartbeats.c.received_at < heard_since
    oldest_since = func.min(heartbeats.c.trial_since).filter(is_heard)
    query = (
        select(devices.c.family, func.count().filter(is_heard), oldest_since, func.count().filter(is_silent))
        .join(devices, devices.c.id == heartbeats.c.device_id)
        .where(heartbeats.c.trial_since.is_not(None), devices.c.revoked_at.is_(None))
        .group_by(devices.c.family)
    )
    return [TrialRow(*row) for row in connection.execute(query)]


def add_event(connection: Connection, row: EventRow, kept_max: int) -> None:
    """Store an event, once; of a device with more than `kept_max` of them the oldest go."""
    if not connection.execute(insert_or_ignore(assignment_events), row._asdict()).rowcount:
        return
    of_device = assignment_events.c.device_id == row.device_id
    newest_first = select(*assignment_events.primary_key.columns).where(of_device)
    newest_first = newest_first.order_by(assignment_events.c.received_at.desc()).offset(kept_max).limit(kept_max)
    if surplus := [tuple(key) for key in connection.execute(newest_first)]:
        connection.execute(delete(assignment_events).where(_EVENTS_KEY.in_(surplus)))


def failures_told(connection: Connection, seq: int, target: str) -> Sequence[tuple[int, str]]:
    """Which devices told that a bundle under an assignment's number failed there: the device's row, and the event."""
    of = assignment_events.c
    is_of_it = (of.seq == seq) & (of.target == target) & of.event.in_(_FAILURES)
    return [tuple(row) for row in connection.execute(select(of.device_id, of.event).where(is_of_it))]


def events_of(connection: Connection, device_id: int) -> Sequence[EventRow]:
    """The events of a device, the oldest first."""
    query = select(assignment_events).where(assignment_events.c.device_id == device_id)
    return [EventRow(*row) for row in connection.execute(query.order_by(assignment_events.c.received_at))]


def events_before(connection: Connection, before: float, limit: int) -> Sequence[tuple[int, int, str, str]]:
    """The keys of at most `limit` events from before a time."""
    query = select(*assignment_events.primary_key.columns).where(assignment_events.c.received_at < before).limit(limit)
    return [(row.device_id, row.seq, row.event, row.target) for row in connection.execute(query)]


def remove_events(connection: Connection, keys: Sequence[tuple[int, int, str, str]]) -> int:
    """Delete events; returns how many there were."""
    return connection.execute(delete(assignment_events).where(_EVENTS_KEY.in_(keys))).rowcount


def _one(connection: Connection, query: Select[Any]) -> HeartbeatRow | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else HeartbeatRow(*row)
