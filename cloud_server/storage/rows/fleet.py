"""The devices as operators look at them: a page at a time, filtered, one in full, and counted; times since 1970."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, delete, exists, func, or_, select, tuple_, update

from cloud_server.storage.database import fetch_plain, insert_or_ignore
from cloud_server.storage.rows.assignments import HoldKind
from cloud_server.storage.schema import assignment_events, assignments, device_tags, devices, heartbeats


class FleetRow(NamedTuple):
    """A device, with what its last heartbeat said of its program, the last update and a trial, and when that came."""

    id: int
    public_id: str
    family: str
    name: str | None
    enrolled_at: float
    last_seen_at: float | None
    last_tables: str | None
    revoked_at: float | None
    suspected_clone_at: float | None
    suspected_clone_why: str | None
    program: str | None
    outcome: str | None
    trial_target: str | None
    trial_since: float | None
    received_at: float | None


_OF_DEVICES = FleetRow._fields[:-5]
_OF_HEARTBEATS = FleetRow._fields[-5:]


class HeardRow(NamedTuple):
    """A device that is let in, when it was heard of last, and what it sent then."""

    id: int
    public_id: str
    last_seen_at: float | None
    last_tables: str | None


class EventRow(NamedTuple):
    """What a device told of an assignment."""

    seq: int
    event: str
    target: str
    code: str | None
    reason: str | None
    received_at: float


class SeenPlace(NamedTuple):
    """Where a device stands in the order of when devices were here last; 0 for one that never was."""

    seen_at: float
    id: int


class CountRow(NamedTuple):
    """How many devices of a family last sent these tables, and how many of them are marked."""

    family: str
    tables: str | None
    devices: int
    revoked: int
    suspected_clones: int


class ContactRow(NamedTuple):
    """Devices of a family that last sent these tables, and are let in.

    Args:
        devices: all of them.
        silent_day, silent_week: those that were not seen since a day ago, since a week ago.
        at_work: those that were, since a day ago, and that are not held at a bundle of their own.
    """

    family: str
    tables: str | None
    devices: int
    silent_day: int
    silent_week: int
    at_work: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceQuery:
    """Which devices are asked for; None: all.

    Args:
        tag: a whole tag, or the key of one.
        name: what the name begins with, in small letters or capitals.
        search: what the name has anywhere, in small letters or capitals, or the public id or a tag begins with.
        after: the row after which to go on.
    """

    family: str | None = None
    tag: str | None = None
    name: str | None = None
    tables: str | None = None
    seen_after: float | None = None
    seen_before: float | None = None
    is_revoked: bool | None = None
    is_pinned: bool | None = None
    is_quarantined: bool | None = None
    is_suspected_clone: bool | None = None
    is_on_trial: bool | None = None
    outcome: str | None = None
    search: str | None = None
    after: int | None = None


_is_known = devices.c.forgotten_at.is_(None)
_last_seen = func.coalesce(devices.c.last_seen_at, 0.0)


def page(connection: Connection, wanted: DeviceQuery, limit: int) -> Sequence[FleetRow]:
    """At most `limit` devices, oldest first."""
    query = _all().where(*_conditions(wanted)).order_by(devices.c.id).limit(limit)
    return [FleetRow(*row) for row in connection.execute(query)]


def by_last_seen(
    connection: Connection, wanted: DeviceQuery, after: SeenPlace | None, limit: int
) -> Sequence[FleetRow]:
    """At most `limit` devices, the one that was here last first; those that never were come last.

    First which ones, then what is known of them, so that nothing is read of all the others but when they were here.
    """
    ids = select(devices.c.id).outerjoin(heartbeats, heartbeats.c.device_id == devices.c.id)
    ids = ids.where(_is_known, *_conditions(wanted))
    if after is not None:
        ids = ids.where(tuple_(_last_seen, devices.c.id) < (after.seen_at, after.id))
    order = (_last_seen.desc(), devices.c.id.desc())
    these = connection.execute(ids.order_by(*order).limit(limit)).scalars().all()
    return [FleetRow(*row) for row in connection.execute(_all().where(devices.c.id.in_(these)).order_by(*order))]


def count(connection: Connection, wanted: DeviceQuery) -> int:
    """How many devices are like that."""
    both = select(func.count()).select_from(devices).outerjoin(heartbeats, heartbeats.c.device_id == devices.c.id)
    return int(connection.execute(both.where(_is_known, *_conditions(wanted))).scalar_one())


def find(connection: Connection, public_id: str) -> FleetRow | None:
    """One device; None when there is none, or it was forgotten."""
    row = connection.execute(_all().where(devices.c.public_id == public_id)).one_or_none()
    return None if row is None else FleetRow(*row)


def forgotten_at(connection: Connection, public_id: str) -> float | None:
    """When the device of this name was forgotten; None where it was not, or there never was one."""
    query = select(devices.c.forgotten_at).where(devices.c.public_id == public_id)
    moment: float | None = connection.execute(query).scalar_one_or_none()
    return moment


def tags(connection: Connection, ids: Sequence[int]) -> Mapping[int, tuple[str, ...]]:
    """The tags of these devices, in order, by their rows; devices without any are left out."""
    these = select(device_tags).where(device_tags.c.device_id.in_(ids)).order_by(device_tags.c.tag)
    found: dict[int, tuple[str, ...]] = {}
    for device_id, tag in connection.execute(these):
        found[device_id] = (*found.get(device_id, ()), tag)
    return found


def heard(connection: Connection, family: str) -> Sequence[tuple[Any, ...]]:
    """The devices of a family that are let in, each as a `HeardRow`, in the order of their rows."""
    query = select(*(devices.c[name] for name in HeardRow._fields)).where(devices.c.family == family)
    return fetch_plain(connection, query.where(devices.c.revoked_at.is_(None), _is_known).order_by(devices.c.id))


def contact(connection: Connection, day_ago: float, week_ago: float) -> Sequence[ContactRow]:
    """The devices that are let in, counted by family and tables; one that never sent anything was seen when it joined.

    Args:
        day_ago, week_ago: seconds since 1970.
    """
    seen_at = func.coalesce(devices.c.last_seen_at, devices.c.enrolled_at)
    is_of_device = (assignments.c.device_id == devices.c.id) & assignments.c.ended_at.is_(None)
    is_at_work = (seen_at >= day_ago) & ~exists().where(is_of_device)
    silent = (func.count().filter(seen_at < day_ago), func.count().filter(seen_at < week_ago))
    key = (devices.c.family, devices.c.last_tables)
    query = select(*key, func.count(), *silent, func.count().filter(is_at_work)).group_by(*key)
    query = query.where(devices.c.revoked_at.is_(None), _is_known)
    return [ContactRow(*row) for row in connection.execute(query)]


def tags_of_families(connection: Connection, wanted: Collection[tuple[str, str]]) -> Mapping[str, frozenset[str]]:
    """Which of these (family, tag) the devices have, by their public names; devices without any are left out."""
    if not wanted:
        return {}
    both = select(devices.c.public_id, device_tags.c.tag).join(devices, devices.c.id == device_tags.c.device_id)
    is_wanted = tuple_(devices.c.family, device_tags.c.tag).in_(sorted(wanted))
    found: dict[str, set[str]] = {}
    for device_id, tag in connection.execute(both.where(is_wanted)):
        found.setdefault(device_id, set()).add(tag)
    return {device_id: frozenset(some) for device_id, some in found.items()}


def heartbeat(connection: Connection, row_id: int) -> str | None:
    """What the last heartbeat of a device said, as JSON; None before the first."""
    of_device = heartbeats.c.device_id == row_id
    document: str | None = connection.execute(select(heartbeats.c.document).where(of_device)).scalar_one_or_none()
    return document


def events(connection: Connection, row_id: int, limit: int) -> Sequence[EventRow]:
    """The newest events of a device."""
    of_device = select(*(assignment_events.c[name] for name in EventRow._fields))
    query = of_device.where(assignment_events.c.device_id == row_id).order_by(assignment_events.c.received_at.desc())
    return [EventRow(*row) for row in connection.execute(query.limit(limit))]


def counts(connection: Connection) -> Sequence[CountRow]:
    """All devices, by family and the tables that they last sent."""
    query = (
        select(
            devices.c.family,
            devices.c.last_tables,
            func.count(),
            func.count(devices.c.revoked_at),
            func.count(devices.c.suspected_clone_at),
        )
        .where(_is_known)
        .group_by(devices.c.family, devices.c.last_tables)
        .order_by(devices.c.family, devices.c.last_tables)
    )
    return [CountRow(*row) for row in connection.execute(query)]


def rename(connection: Connection, public_id: str, name: str | None) -> bool:
    """Give a device a name, or none; False when there is no such device."""
    this = (devices.c.public_id == public_id) & _is_known
    return connection.execute(update(devices).where(this).values(name=name)).rowcount == 1


def change_tags(connection: Connection, public_id: str, change: Callable[[Sequence[str]], Sequence[str]]) -> bool:
    """Replace a device's tags by what `change` makes of them; False when there is no such device."""
    this = (devices.c.public_id == public_id) & _is_known
    row_id = connection.execute(select(devices.c.id).where(this).with_for_update()).scalar_one_or_none()
    if row_id is None:
        return False
    before = tags(connection, [row_id]).get(row_id, ())
    wanted = change(before)
    gone = [tag for tag in before if tag not in wanted]
    of_device = device_tags.c.device_id == row_id
    connection.execute(delete(device_tags).where(of_device, device_tags.c.tag.in_(gone)))
    new = [{"device_id": row_id, "tag": tag} for tag in wanted if tag not in before]
    if new:
        connection.execute(insert_or_ignore(device_tags), new)
    return True


def _all() -> Select[Any]:
    return (
        select(*(devices.c[name] for name in _OF_DEVICES), *(heartbeats.c[name] for name in _OF_HEARTBEATS))
        .select_from(devices)
        .outerjoin(heartbeats, heartbeats.c.device_id == devices.c.id)
        .where(_is_known)
    )


def _conditions(wanted: DeviceQuery) -> list[ColumnElement[bool]]:
    asked = {name: value for name, value in asdict(wanted).items() if value is not None}
    return [_CONDITIONS[name](value) for name, value in asked.items()]


def _is_tagged(tag: str) -> ColumnElement[bool]:
    whole_or_key = or_(device_tags.c.tag == tag, device_tags.c.tag.startswith(f"{tag}=", autoescape=True))
    return exists().where(device_tags.c.device_id == devices.c.id, whole_or_key)


def _is_found(text: str) -> ColumnElement[bool]:
    begins = device_tags.c.tag.startswith(text, autoescape=True)
    return or_(
        devices.c.name.icontains(text, autoescape=True),
        devices.c.public_id.startswith(text.lower(), autoescape=True),
        devices.c.id.in_(select(device_tags.c.device_id).where(begins)),
    )


def _is_held(kind: HoldKind) -> ColumnElement[bool]:
    is_open = (assignments.c.kind == kind.value) & assignments.c.ended_at.is_(None)
    return exists().where(assignments.c.device_id == devices.c.id, is_open)


_CONDITIONS: dict[str, Callable[[Any], ColumnElement[bool]]] = {
    "family": lambda family: devices.c.family == family,
    "tag": _is_tagged,
    "name": lambda prefix: devices.c.name.istartswith(prefix, autoescape=True),
    "tables": lambda tables: devices.c.last_tables == tables,
    "seen_after": lambda moment: devices.c.last_seen_at >= moment,
    "seen_before": lambda moment: or_(devices.c.last_seen_at.is_(None), devices.c.last_seen_at < moment),
    "is_revoked": lambda is_it: devices.c.revoked_at.is_not(None) == is_it,
    "is_pinned": lambda is_it: _is_held(HoldKind.PIN) == is_it,
    "is_quarantined": lambda is_it: _is_held(HoldKind.QUARANTINE) == is_it,
    "is_suspected_clone": lambda is_it: devices.c.suspected_clone_at.is_not(None) == is_it,
    "is_on_trial": lambda is_it: heartbeats.c.trial_since.is_not(None) == is_it,
    "outcome": lambda outcome: heartbeats.c.outcome == outcome,
    "search": _is_found,
    "after": lambda after: devices.c.id > after,
}
