"""Answers by (device, sequence): stored before they are given, the same again whenever the frame is sent again."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, exists, func, select, tuple_

from cloud_server.errors import StorageError
from cloud_server.storage.database import insert_new
from cloud_server.storage.schema import results, samples

_is_sampled = exists().where(samples.c.device_id == results.c.device_id, samples.c.sequence == results.c.sequence)


class StoredResult(NamedTuple):
    """One answer, its fields the table's columns.

    Args:
        received_at_ns: since 1970; it tells two offers for a frame apart.
        scan_digest: as `inference.frames` makes it; None: of a frame that was answered before there were digests.
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

    def is_of(self, scan_digest: int) -> bool:
        """Whether it answers a frame with this scan, as far as is known."""
        return self.scan_digest is None or self.scan_digest == scan_digest


def store(connection: Connection, offered: Sequence[StoredResult]) -> list[StoredResult]:
    """Insert what is new; returns, for each offer, what is stored now: the offer itself, or an earlier answer.

    Raises:
        StorageError: an earlier answer was there when ours was to be stored, and has expired since.
    """
    if insert_new(connection, results, offered) == len(offered):
        return list(offered)
    keys = [(result.device_id, result.sequence) for result in offered]
    stored = find(connection, keys)
    try:
        return [stored[key] for key in keys]
    except KeyError as error:
        raise StorageError("an answer expired while its frame was sent again; send it once more") from error


def find(connection: Connection, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], StoredResult]:
    """The stored answers to frames by (device, sequence); a frame without one is not in it."""
    wanted = tuple_(results.c.device_id, results.c.sequence).in_(keys)
    rows = connection.execute(select(results).where(wanted))
    return {(row.device_id, row.sequence): StoredResult(**row._mapping) for row in rows}


def last_sequence(connection: Connection, device_id: int) -> int:
    """The highest sequence of the device's answered frames; -1 when there is none."""
    highest = connection.execute(select(func.max(results.c.sequence)).where(results.c.device_id == device_id))
    value = highest.scalar_one()
    return -1 if value is None else int(value)


def received_before(connection: Connection, before_ns: int, limit: int) -> Sequence[tuple[int, int]]:
    """(device, sequence) of at most `limit` answers from before a time that belong to no sample."""
    old = select(results.c.device_id, results.c.sequence).where(results.c.received_at_ns < before_ns, ~_is_sampled)
    return [(device_id, sequence) for device_id, sequence in connection.execute(old.limit(limit))]


def remove(connection: Connection, keys: Sequence[tuple[int, int]]) -> int:
    """Delete answers that belong to no sample; their labels go with them, by the database's own rule."""
    these = tuple_(results.c.device_id, results.c.sequence).in_(keys)
    return connection.execute(delete(results).where(these, ~_is_sampled)).rowcount
