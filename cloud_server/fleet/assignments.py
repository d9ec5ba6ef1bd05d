"""Which bundle each family should run. A sequence number per family says which assignment is newer; it only grows."""

import time
from collections.abc import Callable, Mapping

from sqlalchemy import Connection, func, select

from cloud_server.errors import NoAssignmentError
from cloud_server.storage.database import Database, insert_or_ignore
from cloud_server.storage.schema import assignments
from shared.wire import Assignment


class Assignments:
    """The newest assignment of every family, in memory and in the database."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now
        self._current: dict[str, Assignment] = {}

    async def load(self) -> None:
        """Read the newest assignment of every family: at start, and often, for what other processes assigned."""
        for family, seq, counter in await self._database.read(_newest):
            self._current[family] = _assignment(family, seq, counter)

    def current(self, family: str) -> Assignment:
        """What the family should run.

        Raises:
            NoAssignmentError: nothing yet.
        """
        assignment = self._current.get(family)
        if assignment is None:
            raise NoAssignmentError(f"nothing is assigned to family {family} yet")
        return assignment

    def seq(self, family: str) -> int:
        """The family's newest sequence number; 0 before the first assignment."""
        assignment = self._current.get(family)
        return assignment.seq if assignment else 0

    def all(self) -> Mapping[str, Assignment]:
        """The newest assignment by family."""
        return self._current

    async def assign(self, family: str, counter: int) -> Assignment:
        """Make `counter` the family's bundle. Assigning what is assigned already changes nothing."""
        now = self._now()
        seq = await self._database.write(lambda connection: _assign(connection, family, counter, now))
        assignment = _assignment(family, seq, counter)
        if seq > self.seq(family):
            self._current[family] = assignment
        return assignment


def _assignment(family: str, seq: int, counter: int) -> Assignment:
    return Assignment(seq=seq, family=family, counter=counter, target=f"{family}/{counter}.json")


def _newest(connection: Connection) -> list[tuple[str, int, int]]:
    newest = select(assignments.c.family, func.max(assignments.c.seq).label("seq")).group_by(assignments.c.family)
    latest = newest.subquery()
    statement = select(assignments.c.family, assignments.c.seq, assignments.c.counter).join(
        latest, (assignments.c.family == latest.c.family) & (assignments.c.seq == latest.c.seq)
    )
    return [(family, seq, counter) for family, seq, counter in connection.execute(statement)]


def _assign(connection: Connection, family: str, counter: int, now: float) -> int:
    statement = (
        select(assignments.c.seq, assignments.c.counter)
        .where(assignments.c.family == family)
        .order_by(assignments.c.seq.desc())
        .limit(1)
    )
    is_mine = False
    while not is_mine:  # another process may take the number first; then it is looked at again
        newest = connection.execute(statement).one_or_none()
        if newest is not None and newest.counter == counter:
            return int(newest.seq)
        seq = int(newest.seq) + 1 if newest else 1
        row = {"family": family, "seq": seq, "counter": counter, "assigned_at": now}
        is_mine = connection.execute(insert_or_ignore(assignments), row).rowcount == 1
    return seq
