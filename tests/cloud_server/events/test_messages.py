"""What a webhook says, under which id, and in which order."""

import json
from pathlib import Path

from cloud_server.events.endpoints import Endpoint
from cloud_server.events.messages import in_order
from cloud_server.storage.audit_row import AuditRow
from cloud_server.storage.rows.events import Backlog, Cursor, EventRow


def change(seq: int, at_ms: int, action: str = "device.revoke") -> AuditRow:
    return AuditRow(
        seq,
        at_ms,
        "ada",
        "operator",
        "192.0.2.7",
        "a-request",
        action,
        "dev1",
        '{"is_revoked":false}',
        None,
        "0",
        f"{seq}abc",
    )


def event(seq: int, at_ms: int, kind: str = "classifier.failed", subject: str = "digits/1") -> EventRow:
    return EventRow(seq, at_ms, kind, subject, '{"error":"no"}')


def backlog(*rows: AuditRow | EventRow) -> Backlog:
    changes = [row for row in rows if isinstance(row, AuditRow)]
    return Backlog(Cursor(4, 7), 0, changes, [row for row in rows if isinstance(row, EventRow)])


def test_a_change_is_told_with_its_hash_and_without_whence_it_was_asked_for() -> None:
    [message] = in_order(backlog(change(5, 1_700_000_000_123)))
    assert message.id == "audit-5-5abc"
    assert json.loads(message.body) == {
        "type": "device.revoke",
        "timestamp": "2023-11-14T22:13:20.123Z",
        "data": {
            "source": "audit",
            "seq": 5,
            "subject": "dev1",
            "operator": "ada",
            "role": "operator",
            "before": {"is_revoked": False},
            "after": None,
            "hash": "5abc",
        },
    }


def test_an_event_is_told_with_its_facts() -> None:
    [message] = in_order(backlog(event(8, 1_700_000_000_000)))
    assert json.loads(message.body) == {
        "type": "classifier.failed",
        "timestamp": "2023-11-14T22:13:20.000Z",
        "data": {"source": "events", "seq": 8, "subject": "digits/1", "facts": {"error": "no"}},
    }


def test_the_same_event_has_the_same_id_and_another_one_with_its_number_does_not() -> None:
    ids = [
        next(in_order(backlog(row))).id for row in (event(8, 1), event(8, 1), event(8, 2), event(8, 1, "drift.began"))
    ]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert all(name.startswith("event-8-") for name in ids)


def test_changes_and_events_are_told_by_time_and_each_kind_in_its_own_order_whatever_the_clock_did() -> None:
    told = list(in_order(backlog(change(5, 10), change(6, 40), change(7, 20), event(8, 15), event(9, 60))))
    assert [message.id.rsplit("-", 1)[0] for message in told] == ["audit-5", "event-8", "audit-6", "audit-7", "event-9"]


def test_whoever_was_told_so_far_is_not_told_it_again() -> None:
    told = list(in_order(backlog(change(5, 10), event(8, 15), change(6, 20))))
    assert [message.cursor for message in told] == [Cursor(5, 7), Cursor(5, 8), Cursor(6, 8)]


def test_a_test_is_for_the_endpoint_that_it_names_alone() -> None:
    [message] = in_order(backlog(event(8, 1, "webhook.test", "pager")))
    pager, other = (Endpoint(name, "", Path(), ("rollout.*",)) for name in ("pager", "other"))
    assert message.is_for(pager)
    assert not message.is_for(other)
