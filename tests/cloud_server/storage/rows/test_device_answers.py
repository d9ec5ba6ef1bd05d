"""The newest answers to a device's frames, with labels and what was kept; and how many labelled ones are right."""

import pytest
from sqlalchemy import Connection, insert

from cloud_server.storage.rows.device_answers import AnswerRow, LabelledRow, kept, labelled, newest
from cloud_server.storage.schema import devices, labels, results, sample_files, samples


@pytest.fixture
def database(connection: Connection) -> Connection:
    """Devices 1 and 2; the frames 0 to 5 of the first are answered, of which 5 is a probe of 4, and one of the other.

    Frames 1, 2 and 3 have labels, 3 a wrong answer; frames 1 and 4 were kept.
    """
    known = [
        {"id": number, "public_id": f"dev{number}", "family": "digits", "token_sha256": bytes([number]) * 32}
        | {"enrolled_at": 0.0}
        for number in (1, 2)
    ]
    connection.execute(insert(devices), known)
    answered = {"label": "one", "confidence": 0.5, "model": "digits/1", "match": "exact", "tables": "v1"}
    frames = [answered | {"device_id": 1, "sequence": n, "received_at_ns": n} for n in range(5)]
    frames.append(answered | {"device_id": 2, "sequence": 9, "received_at_ns": 9})
    connection.execute(insert(results), frames)
    probe = answered | {"device_id": 1, "sequence": 5, "received_at_ns": 5, "kind": "probe", "companion_of": 4}
    connection.execute(insert(results), probe)
    said = {"authority": 1, "is_foreign": False, "labelled_at": 1.0, "labelled_by": "somebody"}
    of = {"device_id": 1, **said}
    connection.execute(insert(labels), of | {"sequence": 1, "label": "one", "source": "human", "is_correct": True})
    connection.execute(insert(labels), of | {"sequence": 2, "label": "one", "source": "audit", "is_correct": True})
    connection.execute(insert(labels), of | {"sequence": 3, "label": "two", "source": "audit", "is_correct": False})
    connection.execute(insert(sample_files), {"sha256": "a", "bytes": 7, "is_doomed": False})
    sample = {"device_id": 1, "family": "digits", "sha256": "a", "stored_at": 1.0}
    connection.execute(
        insert(samples), [sample | {"sequence": 1, "reason": "random"}, sample | {"sequence": 4, "reason": "rare"}]
    )
    return connection


def answer(sequence: int, *known: str | bool | None) -> AnswerRow:
    """An answer; `known`: true label, source, whether it is correct, why the frame was kept."""
    true_label, source, is_correct, kept_for = known or (None, None, None, None)
    row = (sequence, "one", 0.5, "digits/1", "exact", "v1", sequence)
    return AnswerRow(*row, true_label, source, is_correct, kept_for)  # type: ignore[arg-type]


def test_the_newest_answers_come_first_with_what_is_known_of_them_and_without_companions(database: Connection) -> None:
    assert newest(database, 1, limit=3) == [
        answer(4, None, None, None, "rare"),
        answer(3, "two", "audit", False, None),
        answer(2, "one", "audit", True, None),
    ]
    assert [row.sequence for row in newest(database, 2, limit=3)] == [9]


def test_kept_frames_are_found_however_many_came_since(database: Connection) -> None:
    assert kept(database, 1, limit=5) == [
        answer(4, None, None, None, "rare"),
        answer(1, "one", "human", True, "random"),
    ]
    assert [row.sequence for row in kept(database, 1, limit=1)] == [4]
    assert kept(database, 2, limit=5) == []


def test_labelled_frames_are_counted_by_source_and_only_the_newest(database: Connection) -> None:
    assert labelled(database, 1, limit=5) == [LabelledRow("audit", 2, 1), LabelledRow("human", 1, 1)]
    assert labelled(database, 1, limit=2) == [LabelledRow("audit", 2, 1)]
    assert labelled(database, 2, limit=5) == []
