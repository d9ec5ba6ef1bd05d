"""Rows of assignments: what families and rollouts have devices run, and what single devices are held at.

Each has a number. The numbers of a family, those of its rollouts and devices among them, are never given twice.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, exists, func, select, update

from cloud_server.storage.database import insert_or_ignore
from cloud_server.storage.schema import assignments, devices

NUMBERS_FROM = 1_767_225_600
"""2026-01-01 UTC, in seconds since 1970: the seconds since then are the least number that an assignment gets."""


class HoldKind(StrEnum):
    """Why a single device does not run what its family does."""

    PIN = "pin"
    QUARANTINE = "quarantine"


class AssignmentRow(NamedTuple):
    """The bundle that a family's devices should run from assignment `seq` on."""

    family: str
    seq: int
    counter: int


class HoldRow(NamedTuple):
    """What one device is held at since `assigned_at`; a quarantine's counter is None where nothing can be named."""

    device_id: int
    kind: HoldKind
    family: str
    seq: int
    counter: int | None
    reason: str | None
    assigned_at: float


class HeldAtRow(NamedTuple):
    """A device, as people name it, and the bundle at which it is held."""

    public_id: str
    kind: HoldKind
    counter: int


_ROLLOUT = "rollout"
_of_all = assignments.c.device_id.is_(None)
"""What whole families are told: their assignments, and those of rollouts."""
_of_families = _of_all & assignments.c.kind.is_(None)
_is_open = assignments.c.device_id.is_not(None) & assignments.c.ended_at.is_(None)
_hold = select(*(assignments.c[name] for name in HoldRow._fields))


def next_seq(highest: int, now: float) -> int:
    """The number of the next assignment of a family.

    It is at least the seconds since 2026, so that a server that was restored from a backup does not give a number
    again that it gave after the backup: nobody gives more than one a second for long.

    Args:
        highest: the highest number that the family's assignments have, as far as is known; 0: none.
        now: seconds since 1970.
    """
    return max(highest + 1, int(now - NUMBERS_FROM))


def newest(connection: Connection) -> Sequence[AssignmentRow]:
    """The newest assignment of every family."""
    of_family = select(assignments.c.family, func.max(assignments.c.seq).label("seq")).where(_of_families)
    latest = of_family.group_by(assignments.c.family).subquery()
    statement = select(assignments.c.family, assignments.c.seq, assignments.c.counter).join(
        latest, (assignments.c.family == latest.c.family) & (assignments.c.seq == latest.c.seq)
    )
    return [AssignmentRow(*row) for row in connection.execute(statement)]


def is_given(connection: Connection, family: str, seq: int, device_id: int) -> bool:
    """Whether a device of the family may have been given this number: with its family, in a rollout or alone."""
    is_ours = _of_all | (assignments.c.device_id == device_id)
    wanted = exists().where(assignments.c.family == family, assignments.c.seq == seq, is_ours)
    return bool(connection.execute(select(wanted)).scalar_one())


def newest_of(connection: Connection, family: str) -> AssignmentRow | None:
    """The newest assignment of one family; None before the first."""
    of_family = (assignments.c.family == family) & _of_families
    query = select(assignments.c.family, assignments.c.seq, assignments.c.counter).where(of_family)
    row = connection.execute(query.order_by(assignments.c.seq.desc()).limit(1)).one_or_none()
    return None if row is None else AssignmentRow(*row)


def assign(connection: Connection, family: str, counter: int, now: float) -> AssignmentRow:
    """Make a bundle the family's, with the next number; the one that holds already keeps its number."""
    while True:  # another process may take the number first; then it is looked at again
        before = newest_of(connection, family)
        if before is not None and before.counter == counter:
            return before
        seq = _added(connection, family, now, counter=counter)
        if seq is not None:
            return AssignmentRow(family, seq, counter)


def add_of_rollout(connection: Connection, family: str, counter: int, now: float) -> AssignmentRow:
    """Give a number to the bundle that a rollout leads to; what the family is assigned stays."""
    while (seq := _added(connection, family, now, counter=counter, kind=_ROLLOUT)) is None:
        pass  # another process took the number first
    return AssignmentRow(family, seq, counter)


def release(connection: Connection, family: str, seq: int, now: float) -> None:
    """Make a rollout's assignment the family's; its number stays, and is the highest unless one was assigned since."""
    this = (assignments.c.family == family) & (assignments.c.seq == seq) & (assignments.c.kind == _ROLLOUT)
    connection.execute(update(assignments).where(this).values(kind=None, assigned_at=now))


def holds(connection: Connection) -> Sequence[HoldRow]:
    """What single devices are held at now."""
    return [_hold_row(row) for row in connection.execute(_hold.where(_is_open))]


def held_at(connection: Connection, family: str, counters: range) -> Sequence[HeldAtRow]:
    """The devices of a family that are held at one of these bundles, the first that enrolled first."""
    is_one = (assignments.c.counter >= counters.start) & (assignments.c.counter < counters.stop)
    both = assignments.join(devices, devices.c.id == assignments.c.device_id)
    query = select(devices.c.public_id, assignments.c.kind, assignments.c.counter).select_from(both)
    ours = query.where(assignments.c.family == family, _is_open, is_one).order_by(devices.c.id, assignments.c.kind)
    return [HeldAtRow(name, HoldKind(kind), counter) for name, kind, counter in connection.execute(ours)]


def held(connection: Connection, device_id: int, kind: HoldKind) -> HoldRow | None:
    """How one device is held now; None of one that is not."""
    row = connection.execute(_hold.where(_open_of(device_id, kind))).one_or_none()
    return None if row is None else _hold_row(row)


def hold(
    connection: Connection, device_id: int, kind: HoldKind, counter: int | None, reason: str | None, now: float
) -> HoldRow | None:
    """Hold a device at a bundle instead of the one of before, if any; None when there is no such device.

    The same again changes nothing but the reason, and keeps the number.
    """
    locked = select(devices.c.family).where(devices.c.id == device_id).with_for_update()
    family = connection.execute(locked).scalar_one_or_none()
    if family is None:
        return None
    this, before = _open_of(device_id, kind), held(connection, device_id, kind)
    if before is not None and before.counter == counter:
        connection.execute(update(assignments).where(this).values(reason=reason))
        return before._replace(reason=reason)
    connection.execute(update(assignments).where(this).values(ended_at=now))
    values = {"counter": counter, "device_id": device_id, "kind": kind.value, "reason": reason}
    while (seq := _added(connection, family, now, **values)) is None:
        pass  # another process took the number first
    return HoldRow(device_id, kind, family, seq, counter, reason, now)


def end_hold(connection: Connection, device_id: int, kind: HoldKind, now: float) -> None:
    """Let a device go; one that is not held stays as it is."""
    connection.execute(update(assignments).where(_open_of(device_id, kind)).values(ended_at=now))


def was_quarantined(connection: Connection, device_id: int, at: float) -> bool:
    """Whether a device was in quarantine at a time."""
    of_device = (assignments.c.device_id == device_id) & (assignments.c.kind == HoldKind.QUARANTINE.value)
    then = (assignments.c.assigned_at <= at) & (assignments.c.ended_at.is_(None) | (assignments.c.ended_at > at))
    return bool(connection.execute(select(exists().where(of_device, then))).scalar_one())


def held_counters(connection: Connection, family: str, but: tuple[int, HoldKind] | None = None) -> set[int]:
    """The counters of the bundles at which devices of a family are held.

    Args:
        but: a device, by its row, and a kind: without this hold.
    """
    ours = (assignments.c.family == family) & _is_open & assignments.c.counter.is_not(None)
    others = ours if but is None else ours & ~_open_of(*but)
    return set(connection.execute(select(assignments.c.counter).where(others).distinct()).scalars())


def sent_counters(connection: Connection, family: str, seen_since: float) -> set[int]:
    """The counters of the bundles that devices of a family, seen since a time, sent last."""
    lately = (devices.c.family == family) & (devices.c.last_seen_at >= seen_since) & devices.c.last_tables.like("v%")
    sent = connection.execute(select(devices.c.last_tables).where(lately).distinct()).scalars()
    return {counter for counter in map(counter_of_label, sent) if counter is not None}


def last_assigned(connection: Connection, family: str, limit: int) -> Sequence[int]:
    """The counters that a family was assigned last, each once, up to so many: the first is the one that holds."""
    of_family = select(assignments.c.counter).where(_of_families, assignments.c.family == family)
    latest_first = of_family.group_by(assignments.c.counter).order_by(func.max(assignments.c.seq).desc())
    return connection.execute(latest_first.limit(limit)).scalars().all()


def counter_of_label(tables: str | None) -> int | None:
    """The counter in a version's label, such as v3; None of another label."""
    number = (tables or "").removeprefix("v")
    return int(number) if number.isascii() and number.isdigit() else None


def _open_of(device_id: int, kind: HoldKind) -> ColumnElement[bool]:
    return _is_open & (assignments.c.device_id == device_id) & (assignments.c.kind == kind.value)


def _added(connection: Connection, family: str, now: float, **values: Any) -> int | None:
    """The number of a new row; None when another process has taken it."""
    highest = select(func.max(assignments.c.seq)).where(assignments.c.family == family)
    seq = next_seq(connection.execute(highest).scalar_one() or 0, now)
    row = {"family": family, "seq": seq, "assigned_at": now} | values
    return seq if connection.execute(insert_or_ignore(assignments), row).rowcount == 1 else None


def _hold_row(row: Any) -> HoldRow:
    return HoldRow(*row)._replace(kind=HoldKind(row.kind))
