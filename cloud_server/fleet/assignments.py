"""Which bundle each device should run: its family's, unless a rollout leads it to another or it is held at one itself.

    target_of(device) = quarantine ?? pin ?? what a rollout exposes it to ?? family

Numbers tell assignments apart: no two of a family have the same one, and a device only asks whether it is another.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from cloud_server.errors import NoAssignmentError, NotFoundError
from cloud_server.fleet.devices import Device
from cloud_server.fleet.exposed import Exposed, TagsRead, tags_wanted
from cloud_server.fleet.exposure import Exposure, reaches_of
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import assignments as rows
from cloud_server.storage.rows import rollouts
from cloud_server.storage.rows.assignments import HoldKind
from cloud_server.storage.rows.fleet import tags_of_families
from cloud_server.storage.witness import Facts, Witness
from shared.wire import Assignment

RUNNING_DAYS = 90
"""How long a device that is not heard of is taken to run what it last sent."""
Require = Callable[[Transaction], None]
"""Raises where something is not to be done; called in the transaction that does it, before."""
Choose = Callable[[Transaction], int | None]
"""At which bundle a device is to be held, None where none is known; called in the transaction that holds it, before.

Raises where it is not to be held.
"""
_HoldKey = tuple[int, HoldKind]


@dataclass(frozen=True, slots=True)
class Hold:
    """What a device is held at, since when (seconds since 1970) and why; no assignment where no bundle is known."""

    family: str
    assignment: Assignment | None
    since: float
    reason: str | None


def target_of(
    of_family: Assignment | None, pin: Hold | None, quarantine: Hold | None, exposed: Assignment | None
) -> Assignment | None:
    """What a device should run: where it is in quarantine that one's bundle, else its pin's, else its family's.

    Args:
        exposed: what a rollout leads the device to instead of its family's; not where it is held, at whatever it is.
    """
    for hold in (quarantine, pin):
        if hold is not None and hold.assignment is not None:
            return hold.assignment
    is_held = pin is not None or quarantine is not None
    return of_family if exposed is None or is_held else exposed


class Assignments:
    """The assignments that hold, in memory and in the database.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self._of_family: dict[str, Assignment] = {}
        self._holds: dict[_HoldKey, Hold] = {}
        self._tags = TagsRead()
        self._exposed = Exposed((), {})
        self._changes = 0
        self._loads = self._newest_load = 0

    async def load(self) -> None:
        """Read what holds now: at start, and often, for what other processes assigned.

        Raises:
            StorageError: the database does not answer.
        """
        before, self._loads = self._changes, self._loads + 1
        load = self._loads
        found = await self._database.read(partial(_read, tags=self._tags, now=self._now()))
        if before != self._changes or load < self._newest_load:
            return  # this may have been read before what was changed here, or by a load that began later
        self._newest_load, self._tags = load, found.tags
        for row in found.newest:
            self._of_family[row.family] = _assignment(row.family, row.seq, row.counter)
        self._holds = {(row.device_id, row.kind): _hold(row) for row in found.holds}
        self._exposed = self._exposed.followed_by(found.exposures, found.tags.of_devices)

    def current(self, device: Device) -> Assignment:
        """What a device should run.

        Raises:
            NoAssignmentError: nothing yet.
        """
        assignment = self.target(device)
        if assignment is None:
            raise NoAssignmentError(f"nothing is assigned to family {device.family} yet")
        return assignment

    def target(self, device: Device) -> Assignment | None:
        """What a device should run; None before the first assignment."""
        return self.target_of_row(device.row_id, device.public_id, device.family)

    def target_of_row(self, row_id: int, device_id: str, family: str) -> Assignment | None:
        """What the device with this row and public name should run; None before the first assignment."""
        pin = self._holds.get((row_id, HoldKind.PIN))
        quarantine = self._holds.get((row_id, HoldKind.QUARANTINE))
        exposed = self._exposed.target(family, device_id)
        return target_of(self._of_family.get(family), pin, quarantine, exposed)

    def seq(self, device: Device) -> int:
        """The sequence number of what a device should run; 0 before the first assignment."""
        assignment = self.target(device)
        return assignment.seq if assignment else 0

    def counter(self, device: Device) -> int | None:
        """The counter of the bundle that a device should run; None before the first assignment."""
        assignment = self.target(device)
        return assignment.counter if assignment else None

    def of_family(self, family: str) -> Assignment | None:
        """What the devices of a family should run; None before the first assignment."""
        return self._of_family.get(family)

    def exposure(self, family: str) -> Exposure | None:
        """The active rollout of a family, whether it exposes anybody yet or not; None: it has none."""
        return self._exposed.exposure(family)

    def held_rows(self, family: str) -> frozenset[int]:
        """The devices of a family, by their rows, that are pinned or in quarantine."""
        return frozenset(row_id for (row_id, _), hold in list(self._holds.items()) if hold.family == family)

    def by_family(self) -> Mapping[str, Assignment]:
        """What the devices of each family should run; families without an assignment are left out. For any thread."""
        return dict(self._of_family)

    def told(self) -> Mapping[str, frozenset[int | None]]:
        """The counters of what each family's devices are told to run, by the family or its rollout; None: nothing.

        Families that are told nothing are left out.
        """
        families = self._of_family.keys() | self._exposed.families
        both = {family: (self._of_family.get(family), self._exposed.of_family(family)) for family in families}
        return {
            family: frozenset([None if assigned is None else assigned.counter, *([led_to.counter] if led_to else [])])
            for family, (assigned, led_to) in both.items()
        }

    def held(self, row_id: int, kind: HoldKind) -> Hold | None:
        """How a device, by its row, is held; None of one that is not."""
        return self._holds.get((row_id, kind))

    def is_quarantined(self, row_id: int) -> bool:
        """Whether a device, by its row, is in quarantine: its frames are answered, and count nowhere."""
        return (row_id, HoldKind.QUARANTINE) in self._holds

    def count_held(self) -> Counter[tuple[str, str]]:
        """How many devices are held, by (family, kind). For any thread."""
        return Counter((hold.family, kind.value) for (_, kind), hold in list(self._holds.items()))

    def count_below(self, floors: Mapping[str, int]) -> Counter[str]:
        """How many devices are held at a bundle below their family's floor, by family; held twice counts once.

        Args:
            floors: by family.
        """
        below = {
            (row_id, hold.family)
            for (row_id, _), hold in self._holds.items()
            if hold.assignment is not None and hold.assignment.counter < floors.get(hold.family, 0)
        }
        return Counter(family for _, family in below)

    async def assign_family(self, family: str, counter: int, witness: Witness, require: Require) -> Assignment:
        """Make `counter` the bundle of a family, and end its rollout; what is assigned already keeps its number.

        Raises:
            PeerError: `require` says so.
            StorageError: the database does not answer.
        """
        job = partial(_assign, family=family, counter=counter, now=self._now(), witness=witness, require=require)
        row = await self._database.write(job)
        assignment = _assignment(row.family, row.seq, row.counter)
        known = self._of_family.get(family)
        if known is None or assignment.seq > known.seq:
            self._of_family[family] = assignment
        self._exposed = self._exposed.without(family)
        self._changes += 1
        return assignment

    async def hold(
        self,
        device: Device,
        kind: HoldKind,
        choose: Choose,
        witness: Witness,
        reason: str | None,
    ) -> None:
        """Hold a device at the bundle that is chosen; the same again changes nothing but the reason.

        Raises:
            PeerError: `choose` says so.
            NotFoundError: there is no such device any more.
            StorageError: the database does not answer.
        """
        key, now = (device.row_id, kind), self._now()

        def job(transaction: Transaction) -> rows.HoldRow | None:
            counter = choose(transaction)
            before = rows.held(transaction, *key)
            after = rows.hold(transaction, *key, counter=counter, reason=reason, now=now)
            witness(transaction, before and _shown(before), after and _shown(after))
            return after

        row = await self._database.write(job)
        if row is None:
            raise NotFoundError(f"no device {device.public_id} is enrolled")
        self._holds[key] = _hold(row)
        self._changes += 1

    async def let_go(self, device: Device, kind: HoldKind, witness: Witness) -> None:
        """Hold a device no longer; one that is not held stays as it is.

        Raises:
            StorageError: the database does not answer.
        """
        key, now = (device.row_id, kind), self._now()

        def job(transaction: Transaction) -> None:
            before = rows.held(transaction, *key)
            rows.end_hold(transaction, *key, now=now)
            witness(transaction, before and _shown(before), None)

        await self._database.write(job)
        self._holds.pop(key, None)
        self._changes += 1


@dataclass(frozen=True, slots=True)
class _Read:
    exposures: tuple[Exposure, ...]
    tags: TagsRead
    newest: Sequence[rows.AssignmentRow]
    holds: Sequence[rows.HoldRow]


def _read(transaction: Transaction, tags: TagsRead, now: float) -> _Read:
    """What holds. Exposures come first: where a rollout is completed meanwhile, nobody falls back for a moment."""
    exposures = tuple(map(_exposure, rollouts.exposures(transaction)))
    wanted = tags_wanted(exposures)
    if not tags.serve(wanted, now):
        tags = TagsRead(wanted, tags_of_families(transaction, wanted), now)
    return _Read(exposures, tags, rows.newest(transaction), rows.holds(transaction))


def _assign(
    transaction: Transaction, family: str, counter: int, now: float, witness: Witness, require: Require
) -> rows.AssignmentRow:
    require(transaction)
    before = rows.newest_of(transaction, family)
    ended = rollouts.supersede(transaction, family, now)
    after = rows.assign(transaction, family, counter, now)
    facts = _shown(after) if ended is None else {**_shown(after), "superseded": ended}
    witness(transaction, before and _shown(before), facts)
    return after


def _shown(row: rows.AssignmentRow | rows.HoldRow) -> Facts:
    shown = {"counter": row.counter, "seq": row.seq}
    return shown | {"reason": row.reason} if isinstance(row, rows.HoldRow) else shown


def _exposure(row: rollouts.ExposureRow) -> Exposure:
    return Exposure(row.id, row.family, _assignment(row.family, row.seq, row.counter), reaches_of(row.reaches))


def _hold(row: rows.HoldRow) -> Hold:
    assignment = None if row.counter is None else _assignment(row.family, row.seq, row.counter)
    return Hold(row.family, assignment, row.assigned_at, row.reason)


def _assignment(family: str, seq: int, counter: int) -> Assignment:
    return Assignment(seq=seq, family=family, counter=counter, target=f"{family}/{counter}.json")
