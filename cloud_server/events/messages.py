"""What a webhook says: one row of the audit or one event as a message, and the order of both together."""

import hashlib
import heapq
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from operator import attrgetter
from typing import NamedTuple

from cloud_server.events.endpoints import Endpoint
from cloud_server.events.kinds import EventKind
from cloud_server.storage.audit_row import AuditRow
from cloud_server.storage.rows.events import Backlog, Cursor, EventRow
from shared.bundle import canonical_json

_DIGITS = 16


class Message(NamedTuple):
    """One thing to tell. Its id is the same whenever it is told, and another one for everything else.

    Attributes:
        cursor: how far whoever got it was told.
    """

    id: str
    at_ms: int
    kind: str
    subject: str
    body: bytes
    cursor: Cursor

    def is_for(self, endpoint: Endpoint) -> bool:
        """Whether an endpoint is to be told of it; tests are told to the one that they name, whatever it wants."""
        if self.kind == EventKind.WEBHOOK_TEST:
            return self.subject == endpoint.name
        return endpoint.wants(self.kind)


def in_order(backlog: Backlog) -> Iterator[Message]:
    """What waits, by time; the rows of the audit in their order, and so the events in theirs."""
    cursor = backlog.cursor
    changes = (_of_change(row) for row in backlog.changes)
    events = (_of_event(row) for row in backlog.events)
    # A merge takes the head of one list or the other, so a clock that was set back turns no two of a list around.
    for message in heapq.merge(changes, events, key=attrgetter("at_ms")):
        cursor = Cursor(*(max(pair) for pair in zip(cursor, message.cursor, strict=True)))
        yield message._replace(cursor=cursor)


def _of_change(row: AuditRow) -> Message:
    """The row as `dctwire audit export` has it, without the address and the request of whoever asked."""
    data = {
        "source": "audit",
        "seq": row.seq,
        "subject": row.subject,
        "operator": row.operator,
        "role": row.role,
        "before": _facts(row.before),
        "after": _facts(row.after),
        "hash": row.hash,
    }
    body = _body(row.action, row.at_ms, data)
    name = f"audit-{row.seq}-{row.hash[:_DIGITS]}"
    return Message(name, row.at_ms, row.action, row.subject, body, Cursor(row.seq, 0))


def _of_event(row: EventRow) -> Message:
    data = {"source": "events", "seq": row.seq, "subject": row.subject, "facts": _facts(row.facts)}
    digest = hashlib.sha256(canonical_json(row._asdict())).hexdigest()[:_DIGITS]
    body = _body(row.kind, row.at_ms, data)
    name = f"event-{row.seq}-{digest}"
    return Message(name, row.at_ms, row.kind, row.subject, body, Cursor(0, row.seq))


def _body(kind: str, at_ms: int, data: dict[str, object]) -> bytes:
    at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": kind, "timestamp": at, "data": data}, separators=(",", ":"), sort_keys=True).encode()


def _facts(text: str | None) -> object:
    return None if text is None else json.loads(text)
