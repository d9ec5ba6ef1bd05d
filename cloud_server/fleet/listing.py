"""The devices as operators see them, of all processes together: pages, one in full, counts; names and tags."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cloud_server.errors import NotFoundError
from cloud_server.fleet import tags
from cloud_server.fleet.assignments import Assignments, Hold
from cloud_server.fleet.devices import Devices
from cloud_server.fleet.heartbeats import HEARD_SECONDS
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import fleet as rows
from cloud_server.storage.rows import heartbeats
from cloud_server.storage.rows.assignments import HoldKind
from cloud_server.storage.rows.fleet import CountRow, DeviceQuery, EventRow, FleetRow, SeenPlace
from cloud_server.storage.rows.heartbeats import TrialRow
from cloud_server.storage.rows.tuf_files import floors as floors_of
from cloud_server.storage.witness import Facts, Witness
from shared.wire import Assignment

PAGE_MAX = 1000
EVENTS_MAX = 50


@dataclass(frozen=True, slots=True)
class Listed:
    """A device, its tags, how it is held, what it should run, and its family's floor (0 before a publication).

    Args:
        is_silent: it told nothing for `HEARD_SECONDS`.
    """

    row: FleetRow
    tags: tuple[str, ...]
    pin: Hold | None
    quarantine: Hold | None
    target: Assignment | None
    floor: int
    is_silent: bool


@dataclass(frozen=True, slots=True)
class Described:
    """A device in full: its last heartbeat, and its newest events."""

    listed: Listed
    heartbeat: dict[str, Any] | None
    events: Sequence[EventRow]


class Listing:
    """Looks at devices, and gives them names and tags.

    Every method raises StorageError when the database does not answer.

    Args:
        now: seconds since 1970.
    """

    def __init__(
        self, database: Database, devices: Devices, assignments: Assignments, now: Callable[[], float]
    ) -> None:
        self._database = database
        self._devices = devices
        self._assignments = assignments
        self._now = now

    async def page(self, wanted: DeviceQuery, limit: int) -> tuple[Sequence[Listed], int | None]:
        """At most `limit` devices, oldest first, and the row after which to go on; None at the end."""
        await self._be_up_to_date()
        found, tagged, floors = await self._database.read(partial(_page, wanted=wanted, limit=limit + 1))
        listed = [self._listed(row, tagged.get(row.id, ()), floors) for row in found[:limit]]
        return listed, found[limit - 1].id if len(found) > limit else None

    async def by_last_seen(
        self, wanted: DeviceQuery, after: SeenPlace | None, limit: int
    ) -> tuple[Sequence[Listed], int, SeenPlace | None]:
        """At most `limit` devices, the one that was here last first; how many there are; the place to go on after.

        Args:
            after: an earlier page's place; None: the first page.
        """
        await self._be_up_to_date()
        job = partial(_by_last_seen, wanted=wanted, after=after, limit=limit + 1)
        found, tagged, floors, count = await self._database.read(job)
        listed = [self._listed(row, tagged.get(row.id, ()), floors) for row in found[:limit]]
        if len(found) <= limit:
            return listed, count, None
        last = found[limit - 1]
        return listed, count, SeenPlace(last.last_seen_at or 0.0, last.id)

    async def find(self, public_id: str) -> Listed:
        """One device.

        Raises:
            NotFoundError: no such device is enrolled.
        """
        return (await self.describe(public_id)).listed

    async def describe(self, public_id: str) -> Described:
        """One device in full; errors as for `find`, which say of a device that was forgotten when that was."""
        await self._be_up_to_date()
        found = await self._database.read(partial(_described, public_id=public_id))
        if found is None:
            raise _not_enrolled(public_id, await self._database.read(partial(rows.forgotten_at, public_id=public_id)))
        row, tagged, floors, heartbeat, events = found
        said = None if heartbeat is None else json.loads(heartbeat)
        return Described(self._listed(row, tagged, floors), said, events)

    async def floors(self) -> Mapping[str, int]:
        """The floor of each family that something is published for."""
        return await self._database.read(floors_of)

    async def counts(self) -> Sequence[CountRow]:
        """How many devices there are, by family and the tables that they last sent."""
        await self._be_up_to_date()
        return await self._database.read(rows.counts)

    async def trials(self) -> Sequence[TrialRow]:
        """How many devices have a bundle on trial, by family, those that are silent apart."""
        return await self._database.read(partial(heartbeats.trials, heard_since=self._now() - HEARD_SECONDS))

    async def rename(self, public_id: str, name: str | None, witness: Witness) -> None:
        """Give a device a name, or none; errors as for `find`."""
        job = partial(rows.rename, public_id=public_id, name=name)
        if not await self._database.write(partial(_witnessed, public_id=public_id, job=job, witness=witness)):
            raise _not_enrolled(public_id)

    async def change_tags(self, public_id: str, witness: Witness, *, add: Sequence[str], remove: Sequence[str]) -> None:
        """Change a device's tags as `tags.changed` does; errors as for that and for `find`."""
        change = partial(tags.changed, add=add, remove=remove)
        job = partial(rows.change_tags, public_id=public_id, change=change)
        if not await self._database.write(partial(_witnessed, public_id=public_id, job=job, witness=witness)):
            raise _not_enrolled(public_id)

    async def _be_up_to_date(self) -> None:
        await self._devices.save()
        await self._assignments.load()

    def _listed(self, row: FleetRow, tagged: tuple[str, ...], floors: Mapping[str, int]) -> Listed:
        held = self._assignments.held
        return Listed(
            row,
            tagged,
            held(row.id, HoldKind.PIN),
            held(row.id, HoldKind.QUARANTINE),
            self._assignments.target_of_row(row.id, row.public_id, row.family),
            floor=floors.get(row.family, 0),
            is_silent=row.received_at is not None and row.received_at < self._now() - HEARD_SECONDS,
        )


def _page(
    transaction: Transaction, wanted: DeviceQuery, limit: int
) -> tuple[Sequence[FleetRow], dict[int, tuple[str, ...]], Mapping[str, int]]:
    found = rows.page(transaction, wanted, limit)
    return found, dict(rows.tags(transaction, [row.id for row in found])), floors_of(transaction)


def _by_last_seen(
    transaction: Transaction, wanted: DeviceQuery, after: SeenPlace | None, limit: int
) -> tuple[Sequence[FleetRow], dict[int, tuple[str, ...]], Mapping[str, int], int]:
    found = rows.by_last_seen(transaction, wanted, after, limit)
    tagged = dict(rows.tags(transaction, [row.id for row in found]))
    return found, tagged, floors_of(transaction), rows.count(transaction, wanted)


def _described(
    transaction: Transaction, public_id: str
) -> tuple[FleetRow, tuple[str, ...], Mapping[str, int], str | None, Sequence[EventRow]] | None:
    row = rows.find(transaction, public_id)
    if row is None:
        return None
    tagged = rows.tags(transaction, [row.id]).get(row.id, ())
    heartbeat, events = rows.heartbeat(transaction, row.id), rows.events(transaction, row.id, EVENTS_MAX)
    return row, tagged, floors_of(transaction), heartbeat, events


def _witnessed(transaction: Transaction, public_id: str, job: Callable[[Transaction], bool], witness: Witness) -> bool:
    before = _shown(transaction, public_id)
    is_done = job(transaction)
    witness(transaction, before, _shown(transaction, public_id))
    return is_done


def _shown(transaction: Transaction, public_id: str) -> Facts | None:
    row = rows.find(transaction, public_id)
    return row and {"name": row.name, "tags": " ".join(rows.tags(transaction, [row.id]).get(row.id, ()))}


def _not_enrolled(public_id: str, forgotten_at: float | None = None) -> NotFoundError:
    if forgotten_at is None:
        return NotFoundError(f"no device {public_id} is enrolled")
    when = f"{datetime.fromtimestamp(forgotten_at, UTC):%Y-%m-%d %H:%M:%S}Z"
    return NotFoundError(
        f"device {public_id} was forgotten {when}: its data are deleted, and its id is never given again. Enrolled "
        "with a new code (dctwire claim FAMILY), the camera is a new device"
    )
