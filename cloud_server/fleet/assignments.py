"""Which bundle each device should run. A sequence number says which assignment is newer; it only grows.

An assignment is made for a family, and holds for every device of it.
"""

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, func, select

from cloud_server.errors import NoAssignmentError
from cloud_server.fleet.devices import Device
from cloud_server.storage.database import Database, insert_or_ignore
from cloud_server.storage.schema import assignments
from shared.wire import Assignment


class Assignments:
    """The newest assignments, in memory and in the database.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self._of_family: dict[str, Assignment] = {}

    async def load(self) -> None:
        """Read the newest assignment of every family: at start, and often, for what other processes assigned."""
        for family, seq, counter in await self._database.read(_newest):
            self._of_family[family] = _assignment(family, seq, counter)

    def current(self, device: Device) -> Assignment:
        """What a device should run.

        Raises:
            NoAssignmentError: nothing yet.
        """
        assignment = self._of_family.get(device.family)
        if assignment is None:
            raise NoAssignmentError(f"nothing is assigned to family {device.family} yet")
        return assignment

    def seq(self, device: Device) -> int:
        """The sequence number of what a device should run; 0 before the first assignment."""
        assignment = self._of_family.get(device.family)
        return assignment.seq if assignment else 0

    def of_family(self, family: str) -> Assignment | None:
        """What every device of a family should run; None before the first assignment."""
        return self._of_family.get(family)

    def by_family(self) -> Mapping[str, Assignment]:
        """What the devices of each family should run; families without an assignment are left out."""
        return self._of_family

    async def assign_family(self, family: str, counter: int) -> Assignment:
        """Make `counter` the bundle of a family. Assigning what is assigned already changes nothing.

        Raises:
            StorageError: the database does not answer.
        """
        now = self._now()
        seq = await self._database.write(lambda connection: _assign(connection, family, counter, now))
        assignment = _assignment(family, seq, counter)
        known = self._of_family.get(family)
        if known is None or seq > known.seq:
            self._of_family[family] = assignment
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
