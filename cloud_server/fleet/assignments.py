"""Which bundle each device should run. A sequence number says which assignment is newer; it only grows.

An assignment is made for a family, and holds for every device of it.
"""

from collections.abc import Callable, Mapping
from functools import partial

from cloud_server.errors import NoAssignmentError
from cloud_server.fleet.devices import Device
from cloud_server.storage.database import Database
from cloud_server.storage.rows import assignments as rows
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
        for row in await self._database.read(rows.newest):
            self._of_family[row.family] = _assignment(row)

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

    def counter(self, device: Device) -> int | None:
        """The counter of the bundle that a device should run; None before the first assignment."""
        assignment = self._of_family.get(device.family)
        return assignment.counter if assignment else None

    def counters(self) -> Mapping[str, int]:
        """The counter of each family's assigned bundle; families without an assignment are left out."""
        return {family: assignment.counter for family, assignment in self._of_family.items()}

    async def assign_family(self, family: str, counter: int) -> Assignment:
        """Make `counter` the bundle of a family. Assigning what is assigned already changes nothing.

        Raises:
            StorageError: the database does not answer.
        """
        job = partial(rows.assign, family=family, counter=counter, now=self._now())
        assignment = _assignment(await self._database.write(job))
        known = self._of_family.get(family)
        if known is None or assignment.seq > known.seq:
            self._of_family[family] = assignment
        return assignment


def _assignment(row: rows.AssignmentRow) -> Assignment:
    target = f"{row.family}/{row.counter}.json"
    return Assignment(seq=row.seq, family=row.family, counter=row.counter, target=target)
