"""Answers by (device, sequence): stored before they are given, the same again whenever the frame is sent again."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, exists, func, select, tuple_, update

from cloud_server.storage.database import insert_new, select_by_key
from cloud_server.storage.schema import devices, results, samples
from shared.wire import Kind

_companions = results.alias("companions")
_is_kept = exists().where(samples.c.device_id == results.c.device_id, samples.c.sequence == results.c.sequence)
_has_kept_detail = exists().where(
    samples.c.device_id == results.c.device_id,
    samples.c.reason == Kind.DETAIL.value,
    _companions.c.device_id == samples.c.device_id,
    _companions.c.sequence == samples.c.sequence,
    _companions.c.companion_of == results.c.sequence,
)
_is_unneeded = and_(~_is_kept, ~_has_kept_detail)
"""Whether no sample needs the answer: as its own, or, of a detail, for the label of its frame."""


class StoredResult(NamedTuple):
    """One answer, its fields the table's columns.

    Args:
        received_at_ns: since 1970; it tells two offers for a frame apart.
        scan_digest: as `inference.frames` makes it; None: of a frame that was answered before there were digests.
        kind: a companion's; None: the frame is none.
        companion_of: a companion's: the sequence of the frame that it belongs to, answered or not.
    """

    device_id: int
    sequence: int
    label: str
    confidence: float
    model: str
    match: str
    tables: str
    received_at_ns: int
    scan_digest: int | None
    kind: str | None = None
    companion_of: int | None = None

    def is_of(self, scan_digest: int) -> bool:
        """Whether it answers a frame with this scan, as far as is known."""
        return self.scan_digest is None or self.scan_digest == scan_digest


_ORDINARY_COLUMNS = StoredResult._fields.index("kind")


def store(connection: Connection, offered: Sequence[StoredResult]) -> list[StoredResult | None]:
    """Insert what is new; returns, for each offer, what is stored now: the offer itself, or an earlier answer.

    None: nothing is, for the number may be that of a frame whose answer was deleted; see `expired_sequence`.
    """
    new = insert_new(connection, results, _rows(offered))
    # A number whose answer was deleted is free only once that is committed, so this read sees what was noted with it.
    # One before the insert, which may have waited for that commit, might not.
    expired = select_by_key(connection, devices, "expired_sequence", list({result.device_id for result in offered}))
    late = [result for result in offered if result.sequence <= expired.get(result.device_id, -1)] if expired else []
    if new == len(offered) and not late:
        return list(offered)
    keys = [(result.device_id, result.sequence) for result in offered]
    stored = find(connection, keys)
    ours = [key for result in late if stored.get(key := (result.device_id, result.sequence)) == result]
    if ours:
        connection.execute(delete(results).where(_is_one_of(ours)))
    return [None if key in ours else stored.get(key) for key in keys]


def _rows(offered: Sequence[StoredResult]) -> Sequence[tuple[object, ...]]:
    """What is to be inserted: of ordinary frames alone, without the columns that only companions fill."""
    if any(result.kind is not None for result in offered):
        return offered
    return [result[:_ORDINARY_COLUMNS] for result in offered]


def find(connection: Connection, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], StoredResult]:
    """The stored answers to frames by (device, sequence); a frame without one is not in it."""
    rows = connection.execute(select(results).where(_is_one_of(keys)))
    return {(row.device_id, row.sequence): StoredResult(**row._mapping) for row in rows}


def is_companion(connection: Connection, device_id: int, sequence: int) -> bool:
    """Whether a device's frame was answered as a companion of another one."""
    this = (results.c.device_id == device_id) & (results.c.sequence == sequence)
    return bool(connection.execute(select(exists().where(this, results.c.kind.is_not(None)))).scalar_one())


def look_up(
    connection: Connection, keys: Sequence[tuple[int, int]], device_id: int
) -> tuple[dict[tuple[int, int], StoredResult], int]:
    """The stored answers to a device's frames, as `find`; and, where some have none, `expired_sequence`, else -1."""
    found = find(connection, keys)
    return found, expired_sequence(connection, device_id) if len(found) < len(keys) else -1


def last_sequence(connection: Connection, device_id: int) -> int:
    """The highest sequence of the device's answered frames, also of those whose answers are deleted; -1: none."""
    highest = connection.execute(select(func.max(results.c.sequence)).where(results.c.device_id == device_id))
    value = highest.scalar_one()
    return max(-1 if value is None else int(value), expired_sequence(connection, device_id))


def expired_sequence(connection: Connection, device_id: int) -> int:
    """The highest sequence of the device's frames whose answers are deleted; -1: none.

    A number up to it without an answer may be one of those, and nobody can tell any more what frame had it.
    """
    value = connection.execute(select(devices.c.expired_sequence).where(devices.c.id == device_id)).scalar()
    return -1 if value is None else int(value)


def _is_one_of(keys: Sequence[tuple[int, int]]) -> ColumnElement[bool]:
    return tuple_(results.c.device_id, results.c.sequence).in_(keys)


def received_before(connection: Connection, before_ns: int, limit: int) -> Sequence[tuple[int, int]]:
    """(device, sequence) of at most `limit` answers from before a time that no sample needs."""
    old = select(results.c.device_id, results.c.sequence).where(results.c.received_at_ns < before_ns, _is_unneeded)
    return [(device_id, sequence) for device_id, sequence in connection.execute(old.limit(limit))]


def remove(connection: Connection, keys: Sequence[tuple[int, int]]) -> int:
    """Delete answers that no sample needs; their labels go with them, by the database's own rule."""
    gone = connection.execute(delete(results).where(_is_one_of(keys), _is_unneeded)).rowcount
    if keys:
        _raise_expired(connection, keys)
    return gone


def _raise_expired(connection: Connection, keys: Sequence[tuple[int, int]]) -> None:
    """Remember the highest number of each device, in the devices' order: two processes cannot wait for each other."""
    highest: dict[int, int] = {}
    for device_id, sequence in keys:
        highest[device_id] = max(sequence, highest.get(device_id, -1))
    is_lower = func.coalesce(devices.c.expired_sequence, -1) < bindparam("highest")
    raising = update(devices).where(devices.c.id == bindparam("device"), is_lower)
    values = [{"device": device_id, "highest": highest[device_id]} for device_id in sorted(highest)]
    connection.execute(raising.values(expired_sequence=bindparam("highest")), values)
