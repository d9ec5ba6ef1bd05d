"""Rows of labels: a frame has at most one, and what takes its place is of no less authority."""

from typing import NamedTuple

from sqlalchemy import Connection, delete, select, update

from cloud_server.storage.database import insert_or_ignore
from cloud_server.storage.schema import labels


class LabelRow(NamedTuple):
    """One label, its fields the table's columns; `labelled_at` in seconds since 1970."""

    device_id: int
    sequence: int
    label: str
    source: str
    authority: int
    is_correct: bool
    is_foreign: bool
    labelled_at: float
    labelled_by: str


def add(connection: Connection, row: LabelRow) -> bool:
    """Give a frame its first label; False when it has one already."""
    return connection.execute(insert_or_ignore(labels), row._asdict()).rowcount == 1


def replace(connection: Connection, row: LabelRow) -> bool:
    """Put another label in the place of the stored one, unless that is of higher authority; whether it was put."""
    of_frame = (labels.c.device_id == row.device_id) & (labels.c.sequence == row.sequence)
    outranked = labels.c.authority < row.authority
    changed_mind = (labels.c.authority == row.authority) & (labels.c.label != row.label)
    replaced = connection.execute(update(labels).where(of_frame, outranked | changed_mind).values(**row._asdict()))
    return replaced.rowcount == 1


def find(connection: Connection, device_id: int, sequence: int) -> LabelRow:
    """A frame's label, which is there; nobody changes it meanwhile."""
    of_frame = (labels.c.device_id == device_id) & (labels.c.sequence == sequence)
    columns = (labels.c[name] for name in LabelRow._fields)
    return LabelRow(*connection.execute(select(*columns).where(of_frame).with_for_update()).one())


def find_any(connection: Connection, device_id: int, sequence: int) -> LabelRow | None:
    """A frame's label, which nobody changes meanwhile; None: it has none."""
    of_frame = (labels.c.device_id == device_id) & (labels.c.sequence == sequence)
    columns = (labels.c[name] for name in LabelRow._fields)
    row = connection.execute(select(*columns).where(of_frame).with_for_update()).one_or_none()
    return None if row is None else LabelRow(*row)


def restore(connection: Connection, row: LabelRow, previous: LabelRow | None) -> None:
    """Put what a frame's label was before in the place of what it is; None: it had none."""
    of_frame = (labels.c.device_id == row.device_id) & (labels.c.sequence == row.sequence)
    if previous is None:
        connection.execute(delete(labels).where(of_frame))
    else:
        connection.execute(update(labels).where(of_frame).values(**previous._asdict()))


def authority_of(connection: Connection, device_id: int, sequence: int) -> int:
    """The authority of a frame's label, which is there."""
    of_frame = (labels.c.device_id == device_id) & (labels.c.sequence == sequence)
    return int(connection.execute(select(labels.c.authority).where(of_frame)).scalar_one())
