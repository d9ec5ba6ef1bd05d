"""What devices tell of themselves: the last of it is kept, counted, and looked at for two programs of one device."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from cloud_server.errors import NotFoundError, QuotaError, ToldTooOftenError
from cloud_server.fleet.clones import Boot, Clones, CloneSign, after
from cloud_server.fleet.devices import Device, Devices
from cloud_server.fleet.quota import Quota, Rate
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import assignments, heartbeats, rollout_counts, rollouts
from cloud_server.storage.rows.heartbeats import EventRow, HeartbeatRow, ToldRow, TrialRow
from cloud_server.storage.rows.rollout_counts import Arm
from shared.errors import PeerError
from shared.wire import AssignmentEvent, Heartbeat

TOLD_PER_SECOND, TOLD_AT_ONCE = 0.1, 20
"""How often one device may tell something: every one is a write, and a device has little to say."""
EVENTS_KEPT = 64
"""How many events of a device are kept: the newest."""
HEARD_SECONDS = 2 * 86_400.0
"""A device that was silent for longer is in no count, and its trial counts as silent: it tells every six hours."""
COUNT_EVERY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Told:
    """What devices that are let in told within `HEARD_SECONDS`: how many run which program, and what became of updates.

    Args:
        stale: how many devices have signed metadata that are expired.
    """

    programs: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    stale: int = 0

    @classmethod
    def of(cls, rows: Iterable[ToldRow]) -> "Told":
        """Sum the database's rows up."""
        programs, outcomes, stale = Counter[str](), Counter[str](), 0
        for row in rows:
            programs[row.program] += row.devices
            outcomes[row.outcome or "none"] += row.devices
            stale += row.devices if row.is_stale else 0
        return cls(programs, outcomes, stale)


class Heartbeats:
    """The last heartbeat and the last events of every device, in the database.

    Attributes:
        told: what devices told lately.
        trials: the devices that have a bundle on trial, those that are silent apart.

    Args:
        now: seconds since 1970.
        monotonic: seconds on a clock that never goes back.
    """

    def __init__(
        self,
        database: Database,
        devices: Devices,
        clones: Clones,
        now: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._database = database
        self._devices = devices
        self._clones = clones
        self._now = now
        self._monotonic = monotonic
        self._quota: Quota[int] = Quota(Rate(frames_per_second=TOLD_PER_SECOND, burst_frames=TOLD_AT_ONCE))
        self._count_at = 0.0
        self.told = Told()
        self.trials: Sequence[TrialRow] = ()

    def charge(self, device: Device) -> None:
        """Take one off what a device may tell.

        Raises:
            ToldTooOftenError: it has told too much lately.
        """
        try:
            self._quota.take(device.row_id, 1, self._monotonic())
        except QuotaError as error:
            raise ToldTooOftenError(error.retry_after_seconds) from error

    async def note(self, device: Device, heartbeat: Heartbeat) -> None:
        """Store a heartbeat in the place of the one before; the same again changes nothing but its time.

        Raises:
            StorageError: the database does not answer.
        """
        are_two = await self._database.write(
            partial(_note, device_id=device.row_id, family=device.family, heartbeat=heartbeat, now=self._now())
        )
        self._devices.touch(device)
        if are_two:
            await self._clones.mark(device, CloneSign.TWO_PROGRAMS)

    async def note_event(self, device: Device, seq: int, event: AssignmentEvent) -> None:
        """Store an event of an assignment, once.

        Raises:
            PeerError: its target is none of the device's family.
            NotFoundError: the device has no assignment with this number.
            StorageError: the database does not answer.
        """
        if not event.target.startswith(f"{device.family}/"):
            raise PeerError(f"{event.target} is no bundle of family {device.family}")
        row = EventRow(device.row_id, seq, event.event.value, event.target, event.code, event.reason, self._now())
        if not await self._database.write(partial(_note_event, family=device.family, row=row)):
            raise NotFoundError(f"the server knows of no assignment {seq} of this device")
        self._devices.touch(device)

    async def refresh(self) -> None:
        """Count anew what devices tell, unless that was done a moment ago.

        Raises:
            StorageError: the database does not answer.
        """
        if self._monotonic() < self._count_at:
            return
        self._count_at = self._monotonic() + COUNT_EVERY_SECONDS
        since = self._now() - HEARD_SECONDS
        self.told = Told.of(await self._database.read(partial(heartbeats.told, since=since)))
        self.trials = await self._database.read(partial(heartbeats.trials, heard_since=since))


def trial_of(heartbeat: Heartbeat, family: str) -> str | None:
    """The bundle of its own family that a device has on trial; another family's is no trial that this one waits for."""
    target = None if heartbeat.trial is None else heartbeat.trial.target
    return target if target is not None and target.startswith(f"{family}/") else None


def trial_since(before: HeartbeatRow | None, on_trial: str | None, now: float) -> float | None:
    """Since when a device tells that it has this bundle on trial; None where it has none.

    Args:
        before: its heartbeat before this one.
    """
    if on_trial is None:
        return None
    return before.trial_since if before and before.trial_target == on_trial else now


def _note(transaction: Transaction, device_id: int, family: str, heartbeat: Heartbeat, now: float) -> bool:
    """Store a heartbeat; whether two programs run with this identity."""
    before = heartbeats.to_replace(transaction, device_id)
    earlier = tuple(Boot(*boot) for boot in json.loads(before.boots)) if before else ()
    boots = after(earlier, Boot(heartbeat.boot, heartbeat.uptime_seconds))
    on_trial = trial_of(heartbeat, family)
    row = HeartbeatRow(
        device_id,
        now,
        heartbeat.program,
        heartbeat.outcome.event.value if heartbeat.outcome else None,
        heartbeat.tuf is not None and heartbeat.tuf.is_stale,
        json.dumps(boots.seen),
        heartbeat.model_dump_json(),
        on_trial,
        trial_since(before, on_trial, now),
    )
    heartbeats.put(transaction, row)
    _note_encoding(transaction, device_id, family, heartbeat)
    return boots.are_two


def _note_encoding(transaction: Transaction, device_id: int, family: str, heartbeat: Heartbeat) -> None:
    """Where a rollout compares the bundle in use with another one, keep how long encoding with it takes."""
    seconds, rollout = heartbeat.encode_seconds_median, rollouts.active_of(transaction, family)
    if seconds is None or rollout is None or heartbeat.active is None:
        return
    arms = {f"{family}/{rollout.old_counter}.json": Arm.OLD, f"{family}/{rollout.counter}.json": Arm.NEW}
    arm = arms.get(heartbeat.active.target)
    if arm is not None:
        rollout_counts.tell_encode_seconds(transaction, rollout.id, device_id, arm, seconds)


def _note_event(transaction: Transaction, family: str, row: EventRow) -> bool:
    """Store an event; whether its assignment is known."""
    is_known = assignments.is_given(transaction, family, row.seq, row.device_id)
    if is_known:
        heartbeats.add_event(transaction, row, EVENTS_KEPT)
    return is_known
