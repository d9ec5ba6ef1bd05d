"""Rows of assignments: for each family a growing sequence, the newest of which holds."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from cloud_server.storage.database import insert_or_ignore
from cloud_server.storage.schema import assignments


class AssignmentRow(NamedTuple):
    """The bundle that a family's devices should run from assignment `seq` on."""

    family: str
    seq: int
    counter: int


def newest(connection: Connection) -> Sequence[AssignmentRow]:
    """The newest assignment of every family."""
    of_family = select(assignments.c.family, func.max(assignments.c.seq).label("seq")).group_by(assignments.c.family)
    latest = of_family.subquery()
    statement = select(assignments.c.family, assignments.c.seq, assignments.c.counter).join(
        latest, (assignments.c.family == latest.c.family) & (assignments.c.seq == latest.c.seq)
    )
    return [AssignmentRow(*row) for row in connection.execute(statement)]


def assign(connection: Connection, family: str, counter: int, now: float) -> AssignmentRow:
    """Make a bundle the family's, with the next number; the one that holds already keeps its number."""
    statement = (
        select(assignments.c.seq, assignments.c.counter)
        .where(assignments.c.family == family)
        .order_by(assignments.c.seq.desc())
        .limit(1)
    )
    is_mine = False
    while not is_mine:  # another process may take the number first; then it is looked at again
        before = connection.execute(statement).one_or_none()
        if before is not None and before.counter == counter:
            return AssignmentRow(family, before.seq, counter)
        seq = before.seq + 1 if before else 1
        row = {"family": family, "seq": seq, "counter": counter, "assigned_at": now}
        is_mine = connection.execute(insert_or_ignore(assignments), row).rowcount == 1
    return AssignmentRow(family, seq, counter)
