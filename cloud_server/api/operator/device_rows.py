"""The devices as the operator plane's documents have them. Times are seconds since 1970."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import Field

from cloud_server.api.operator.commands import Message
from cloud_server.fleet.assignments import Hold
from cloud_server.fleet.listing import Described, Listed
from cloud_server.storage.rows.fleet import CountRow
from cloud_server.storage.rows.heartbeats import TrialRow


class Quarantine(Message):
    """Since when and why a device's frames count nowhere, and the bundle at which it is held."""

    since: float
    reason: str
    counter: int | None = Field(description="Null where none is known: it follows its pin or its family.")


class CloneMark(Message):
    """Since when and why a device seems to be two that share an identity."""

    since: float
    why: str


class DeviceTrial(Message):
    """The bundle that a device has on trial, as its last heartbeat said, and since when it says so."""

    target: str
    since: float
    is_silent: bool = Field(description="Whether the device has told nothing for two days.")


class DeviceRow(Message):
    """A device."""

    device_id: str
    family: str
    name: str | None
    tags: tuple[str, ...]
    enrolled_at: float
    last_seen_at: float | None
    last_tables: str | None
    assignment_seq: int
    assigned: int | None = Field(description="The counter of the bundle that it should run.")
    floor: int = Field(description="The lowest counter that devices of its family take; 0 before a publication.")
    pinned: int | None = Field(description="The counter of the bundle that it runs whatever its family runs.")
    quarantine: Quarantine | None
    revoked_at: float | None = Field(description="Since when its token is refused.")
    suspected_clone: CloneMark | None
    program: str | None = Field(description="Its program's version, as its last heartbeat said.")
    outcome: str | None = Field(description="What came of its last update, as its last heartbeat said.")
    trial: DeviceTrial | None

    @classmethod
    def of(cls, listed: Listed) -> Self:
        """The row of a device."""
        return cls(**_members(listed))


class DevicePage(Message):
    """A page of devices; `next` is where the following one begins (`after`), null at the end."""

    devices: tuple[DeviceRow, ...]
    next: int | None


class DeviceEvent(Message):
    """What a device told of an assignment."""

    seq: int
    event: str
    target: str
    code: str | None
    reason: str | None
    received_at: float


class DeviceDetails(DeviceRow):
    """A device, its last heartbeat as it sent that, and its newest events."""

    heartbeat_at: float | None
    heartbeat: dict[str, Any] | None
    events: tuple[DeviceEvent, ...]

    @classmethod
    def described(cls, device: Described) -> Self:
        """All that is known of a device."""
        events = tuple(DeviceEvent(**event._asdict()) for event in device.events)
        heartbeat = {"heartbeat_at": device.listed.row.received_at, "heartbeat": device.heartbeat}
        return cls(**_members(device.listed), **heartbeat, events=events)


class DeviceCounts(Message):
    """The devices of a family, and how many of them are held, revoked, or seem to be two."""

    family: str
    devices: int
    by_tables: dict[str, int] = Field(description="By the tables that they last sent; `none` before the first frame.")
    pinned: int
    quarantined: int
    revoked: int
    suspected_clones: int
    on_trial: int = Field(description="That told within two days that a bundle has to prove itself.")
    silent_on_trial: int = Field(description="That told so last, and nothing for two days.")
    oldest_trial_since: float | None = Field(description="Of those that told it within two days.")
    held_below_floor: int = Field(description="Of the pinned and quarantined: at a bundle below the family's floor.")


class FleetCounts(Message):
    """The devices of every family, counted."""

    families: tuple[DeviceCounts, ...]

    @classmethod
    def of(
        cls,
        rows: Sequence[CountRow],
        held: Mapping[tuple[str, str], int],
        below: Mapping[str, int],
        trials: Sequence[TrialRow],
    ) -> Self:
        """The counts by family.

        Args:
            held: devices by (family, kind of hold).
            below: devices that are held below the floor, by family.
        """
        of_family: dict[str, list[CountRow]] = {}
        for row in rows:
            of_family.setdefault(row.family, []).append(row)
        on_trial = {family: TrialRow(family, 0, None, 0) for family in of_family} | {row.family: row for row in trials}
        families = sorted(of_family)
        return cls(families=tuple(_counts(one, of_family[one], held, below, on_trial[one]) for one in families))


def _members(listed: Listed) -> dict[str, Any]:
    row, target = listed.row, listed.target
    shared = ("family", "name", "enrolled_at", "last_seen_at", "last_tables", "revoked_at", "program", "outcome")
    clone = None
    if row.suspected_clone_at is not None:
        clone = CloneMark(since=row.suspected_clone_at, why=row.suspected_clone_why or "")
    return {
        "device_id": row.public_id,
        **{name: getattr(row, name) for name in shared},
        "tags": listed.tags,
        "assignment_seq": target.seq if target else 0,
        "assigned": target.counter if target else None,
        "floor": listed.floor,
        "pinned": None if listed.pin is None else _counter_of(listed.pin),
        "quarantine": None if listed.quarantine is None else _quarantine(listed.quarantine),
        "suspected_clone": clone,
        "trial": _trial(listed),
    }


def _counts(
    family: str,
    rows: Sequence[CountRow],
    held: Mapping[tuple[str, str], int],
    below: Mapping[str, int],
    trials: TrialRow,
) -> DeviceCounts:
    return DeviceCounts(
        family=family,
        devices=sum(row.devices for row in rows),
        by_tables={row.tables or "none": row.devices for row in rows},
        pinned=held.get((family, "pin"), 0),
        quarantined=held.get((family, "quarantine"), 0),
        revoked=sum(row.revoked for row in rows),
        suspected_clones=sum(row.suspected_clones for row in rows),
        on_trial=trials.heard,
        silent_on_trial=trials.silent,
        oldest_trial_since=trials.oldest_since,
        held_below_floor=below.get(family, 0),
    )


def _trial(listed: Listed) -> DeviceTrial | None:
    target, since = listed.row.trial_target, listed.row.trial_since
    if target is None or since is None:
        return None
    return DeviceTrial(target=target, since=since, is_silent=listed.is_silent)


def _quarantine(hold: Hold) -> Quarantine:
    return Quarantine(since=hold.since, reason=hold.reason or "", counter=_counter_of(hold))


def _counter_of(hold: Hold) -> int | None:
    return None if hold.assignment is None else hold.assignment.counter
