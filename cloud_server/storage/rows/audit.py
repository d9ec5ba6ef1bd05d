"""Rows of the audit: a chain of what was changed, to which is only added."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, insert, select, update

from cloud_server.storage.audit_row import AuditRow, Head
from cloud_server.storage.schema import audit, audit_head


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which rows are wanted; None leaves a condition out. `before` and `after` are rows' numbers."""

    operator: str | None = None
    action: str | None = None
    subject: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    before: int | None = None
    after: int | None = None


_select = select(*(audit.c[name] for name in AuditRow._fields))


def head(connection: Connection) -> Head:
    """The end of the chain; 0 and zeros before its first row."""
    return Head(*connection.execute(select(audit_head.c.seq, audit_head.c.hash)).one())


def hash_at(connection: Connection, seq: int) -> str | None:
    """The hash of the row with this number; None: there is no such row."""
    return connection.execute(select(audit.c.hash).where(audit.c.seq == seq)).scalar_one_or_none()


def lock_head(connection: Connection) -> Head:
    """The end of the chain, to which nobody else adds in this transaction."""
    return Head(*connection.execute(select(audit_head.c.seq, audit_head.c.hash).with_for_update()).one())


def add(connection: Connection, row: AuditRow) -> None:
    """Add a row at the end, which `lock_head` gave."""
    connection.execute(insert(audit), row._asdict())
    connection.execute(update(audit_head).values(seq=row.seq, hash=row.hash))


def page(connection: Connection, wanted: AuditFilter, upto: Head, limit: int) -> Sequence[AuditRow]:
    """Rows that fit, none behind `upto`: the newest first, or from `after` on the oldest first."""
    conditions = [audit.c.seq <= upto.seq, *_conditions(wanted)]
    order = audit.c.seq.desc() if wanted.after is None else audit.c.seq
    rows = connection.execute(_select.where(*conditions).order_by(order).limit(limit))
    return [AuditRow(*row) for row in rows]


def _conditions(wanted: AuditFilter) -> Iterator[ColumnElement[bool]]:
    for name in ("operator", "action", "subject"):
        if (value := getattr(wanted, name)) is not None:
            is_prefix = name == "action" and value.endswith(".")
            yield audit.c[name].startswith(value, autoescape=True) if is_prefix else audit.c[name] == value
    if wanted.since_ms is not None:
        yield audit.c.at_ms >= wanted.since_ms
    if wanted.until_ms is not None:
        yield audit.c.at_ms < wanted.until_ms
    if wanted.before is not None:
        yield audit.c.seq < wanted.before
    if wanted.after is not None:
        yield audit.c.seq > wanted.after
