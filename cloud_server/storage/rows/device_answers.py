"""The answers to one device's frames: the newest, with what is known of them, and how many of the labelled are right.

Every query reads a bounded part of the device's own rows, newest first, by their key.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Integer, Table, cast, func, select

from cloud_server.storage.schema import labels, results, samples


class AnswerRow(NamedTuple):
    """An answer, the frame's true label where one is known, and why the frame was kept; None: it was not."""

    sequence: int
    label: str
    confidence: float
    model: str
    match: str
    tables: str
    received_at_ns: int
    true_label: str | None
    source: str | None
    is_correct: bool | None
    kept_for: str | None


class LabelledRow(NamedTuple):
    """How many frames have a label of this source, and how many of those were answered with it."""

    source: str
    labelled: int
    correct: int


def newest(connection: Connection, device_id: int, limit: int) -> Sequence[AnswerRow]:
    """The answers to the device's newest frames, newest first; companions are left out."""
    known = results.outerjoin(labels, _is_of(labels, results)).outerjoin(samples, _is_of(samples, results))
    ordinary = (results.c.device_id == device_id) & results.c.kind.is_(None)
    newest_first = results.c.sequence.desc()
    query = select(*_COLUMNS).select_from(known).where(ordinary).order_by(newest_first).limit(limit)
    return [AnswerRow(*row) for row in connection.execute(query)]


def kept(connection: Connection, device_id: int, limit: int) -> Sequence[AnswerRow]:
    """The answers to the newest of the device's frames that were kept, newest first."""
    known = samples.join(results, _is_of(results, samples)).outerjoin(labels, _is_of(labels, samples))
    of_device, newest_first = samples.c.device_id == device_id, samples.c.sequence.desc()
    query = select(*_COLUMNS).select_from(known).where(of_device).order_by(newest_first).limit(limit)
    return [AnswerRow(*row) for row in connection.execute(query)]


def labelled(connection: Connection, device_id: int, limit: int) -> Sequence[LabelledRow]:
    """Of the device's newest labelled frames, at most `limit`, how many were right, by who says so."""
    of_device = select(labels.c.source, labels.c.is_correct).where(labels.c.device_id == device_id)
    some = of_device.order_by(labels.c.sequence.desc()).limit(limit).subquery()
    right = func.sum(cast(some.c.is_correct, Integer))
    query = select(some.c.source, func.count(), right).group_by(some.c.source).order_by(some.c.source)
    return [LabelledRow(source, count, int(correct)) for source, count, correct in connection.execute(query)]


_COLUMNS = (
    *(results.c[name] for name in AnswerRow._fields[:7]),
    *(labels.c[name] for name in ("label", "source", "is_correct")),
    samples.c.reason,
)


def _is_of(table: Table, other: Table) -> ColumnElement[bool]:
    """Whether rows of both are of the same frame."""
    return (table.c.device_id == other.c.device_id) & (table.c.sequence == other.c.sequence)
