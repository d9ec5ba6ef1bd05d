"""Rows of events, to which is only added, and of how far each webhook was told of them and of the audit."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Table, delete, false, func, insert, or_, select, update

from cloud_server.storage.audit_row import AuditRow
from cloud_server.storage.database import insert_or_ignore
from cloud_server.storage.event_tables import event_head, events, webhooks
from cloud_server.storage.schema import audit, audit_head


class NewEvent(NamedTuple):
    """What happened; `facts` as JSON. Only the first event is kept of those with the same `once`."""

    at_ms: int
    kind: str
    subject: str
    facts: str
    once: str | None = None


class EventRow(NamedTuple):
    """One event with its number, as it is stored."""

    seq: int
    at_ms: int
    kind: str
    subject: str
    facts: str


class Cursor(NamedTuple):
    """The last row of the audit, and the last event, that an endpoint was told of."""

    audit_seq: int
    event_seq: int


class Backlog(NamedTuple):
    """What an endpoint is to be told next, each list in order; `failures` came in a row before."""

    cursor: Cursor
    failures: int
    changes: Sequence[AuditRow]
    events: Sequence[EventRow]


class Standing(NamedTuple):
    """How an endpoint does; `oldest_ms` is when the first happened of what waits for it."""

    endpoint: str
    pending: int
    oldest_ms: int | None
    delivered_at: float | None
    failures: int
    fault: str | None


class _Wanted(NamedTuple):
    """A table, and which of its rows an endpoint wants."""

    table: Table
    is_wanted: ColumnElement[bool]


_changes = select(*(audit.c[name] for name in AuditRow._fields))
_events = select(*(events.c[name] for name in EventRow._fields))


def add(connection: Connection, new: NewEvent) -> bool:
    """Add an event at the end; whether it was new."""
    seq = connection.execute(select(event_head.c.seq).with_for_update()).scalar_one() + 1
    if new.once is not None and connection.execute(select(events.c.seq).where(events.c.once == new.once)).first():
        return False
    connection.execute(insert(events), new._asdict() | {"seq": seq})
    connection.execute(update(event_head).values(seq=seq))
    return True


def page(connection: Connection, before: int | None, limit: int) -> Sequence[EventRow]:
    """At most `limit` events, the newest first, all older than the one with the number `before`."""
    query = _events if before is None else _events.where(events.c.seq < before)
    return [EventRow(*row) for row in connection.execute(query.order_by(events.c.seq.desc()).limit(limit))]


def begin(connection: Connection, endpoints: Collection[str]) -> None:
    """Let endpoints that are new be told of what happens from now on."""
    ends = {"audit_seq": _end(connection, audit_head), "event_seq": _end(connection, event_head)}
    for endpoint in sorted(endpoints):
        connection.execute(insert_or_ignore(webhooks), ends | {"endpoint": endpoint, "failures": 0})


def backlog(connection: Connection, endpoint: str, limit: int) -> Backlog | None:
    """At most `limit` of each kind that an endpoint was not told of yet; None: `begin` has not been called for it."""
    query = select(webhooks.c.audit_seq, webhooks.c.event_seq, webhooks.c.failures)
    found = connection.execute(query.where(webhooks.c.endpoint == endpoint)).one_or_none()
    if found is None:
        return None
    changes = _changes.where(audit.c.seq > found.audit_seq).order_by(audit.c.seq).limit(limit)
    told = _events.where(events.c.seq > found.event_seq).order_by(events.c.seq).limit(limit)
    return Backlog(
        Cursor(found.audit_seq, found.event_seq),
        found.failures,
        [AuditRow(*row) for row in connection.execute(changes)],
        [EventRow(*row) for row in connection.execute(told)],
    )


def advance(
    connection: Connection, endpoint: str, before: Cursor, after: Cursor, delivered_at: float | None = None
) -> bool:
    """Note that an endpoint was told of more, at `delivered_at`; whether it still stood as before.

    Without that time it is only passed over what it does not want, and the failures before stay.
    """
    values: dict[str, object] = dict(after._asdict())
    if delivered_at is not None:
        values |= {"delivered_at": delivered_at, "failures": 0, "fault": None}
    stands = (webhooks.c.audit_seq == before.audit_seq) & (webhooks.c.event_seq == before.event_seq)
    moved = connection.execute(update(webhooks).where(webhooks.c.endpoint == endpoint, stands).values(values))
    return bool(moved.rowcount)


def skip(connection: Connection, endpoint: str, before: Cursor, after: Cursor) -> bool:
    """Pass an endpoint over what it refused, and forget the failures; whether it still stood as before."""
    return advance(connection, endpoint, before, after) and bool(
        connection.execute(
            update(webhooks).where(webhooks.c.endpoint == endpoint).values(failures=0, fault=None)
        ).rowcount
    )


def note_fault(connection: Connection, endpoint: str, fault: str) -> None:
    """Note that an endpoint could not be told."""
    values = {"failures": webhooks.c.failures + 1, "fault": fault[:200]}
    connection.execute(update(webhooks).where(webhooks.c.endpoint == endpoint).values(values))


def give_up(connection: Connection, endpoint: str, kinds: Collection[str], before_ms: int | None, rows_max: int) -> int:
    """Pass an endpoint over what is older than `before_ms`, and all but the last `rows_max` changes, and events.

    Args:
        kinds: what it wants, as patterns of small letters, digits, dots, dashes and stars; nothing else counts.

    Returns:
        How many of these it will not be told of.
    """
    query = select(webhooks.c.audit_seq, webhooks.c.event_seq).where(webhooks.c.endpoint == endpoint)
    found = connection.execute(query).one_or_none()
    if found is None:
        return 0
    before = Cursor(*found)
    changes = _Wanted(audit, _is_any(audit.c.action, kinds))
    told = _Wanted(events, _is_any(events.c.kind, kinds))
    after = Cursor(
        _last_given_up(connection, changes, before.audit_seq, rows_max, before_ms),
        _last_given_up(connection, told, before.event_seq, rows_max, before_ms),
    )
    given_up = sum(_between(connection, *each) for each in zip((changes, told), before, after, strict=True))
    return given_up if after != before and advance(connection, endpoint, before, after) else 0


def standings(connection: Connection, endpoints: Collection[str]) -> Sequence[Standing]:
    """How these endpoints do, by name."""
    query = select(webhooks).where(webhooks.c.endpoint.in_(endpoints)).order_by(webhooks.c.endpoint)
    found = []
    for row in connection.execute(query).all():
        changes, oldest_change = _waiting(connection, audit, row.audit_seq)
        told, oldest_event = _waiting(connection, events, row.event_seq)
        oldest = min((at for at in (oldest_change, oldest_event) if at is not None), default=None)
        found.append(Standing(row.endpoint, changes + told, oldest, row.delivered_at, row.failures, row.fault))
    return found


def remove_before(connection: Connection, before_ms: int | None, rows_max: int) -> int:
    """Delete events that are older than `before_ms`, and all but the last `rows_max`; returns how many."""
    is_old = events.c.seq <= _end(connection, event_head) - rows_max
    if before_ms is not None:
        is_old |= events.c.at_ms < before_ms
    return connection.execute(delete(events).where(is_old)).rowcount


def _end(connection: Connection, head: Table) -> int:
    seq: int = connection.execute(select(head.c.seq)).scalar_one()
    return seq


def _is_any(kind: Column[str], patterns: Collection[str]) -> ColumnElement[bool]:
    """Whether a kind has one of these patterns, whose one special character is the star."""
    return or_(false(), *(kind.like(pattern.replace("*", "%")) for pattern in patterns))


def _last_given_up(connection: Connection, of: _Wanted, seq: int, rows_max: int, before_ms: int | None) -> int:
    """The last row that nobody is told of any more; `seq` where there is none."""
    rows = of.table.c
    if before_ms is not None:
        too_old = select(func.max(rows.seq)).where(rows.seq > seq, rows.at_ms < before_ms)
        seq = connection.execute(too_old).scalar_one() or seq
    too_many = select(rows.seq).where(rows.seq > seq, of.is_wanted).order_by(rows.seq.desc()).offset(rows_max).limit(1)
    return connection.execute(too_many).scalar_one_or_none() or seq


def _between(connection: Connection, of: _Wanted, after: int, upto: int) -> int:
    """How many wanted rows there are behind one row, up to another."""
    rows = of.table.c
    query = select(func.count()).where(rows.seq > after, rows.seq <= upto, of.is_wanted)
    count: int = connection.execute(query).scalar_one()
    return count


def _waiting(connection: Connection, table: Table, seq: int) -> tuple[int, int | None]:
    """How many rows are behind this one, and when the first of them was."""
    query = select(func.count(), func.min(table.c.at_ms)).where(table.c.seq > seq)
    count, oldest = connection.execute(query).one()
    return count, oldest
