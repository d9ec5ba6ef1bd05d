"""Rows of hourly sums: what was answered with which tables, how right it was, and what it cost in bytes.

Sums are only added to, by any number of processes: each adds to rows of its own shard, so that none waits for another's
commit, and whoever reads adds the shards up. An hour is counted since 1970.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, exists, func, select

from cloud_server.storage.database import add_later
from cloud_server.storage.rows.results import StoredResult
from cloud_server.storage.sum_tables import hourly_answers, hourly_baselines, hourly_bytes

HOUR_SECONDS = 3600
SHARDS = 256
"""How many processes add without waiting for each other; rows an hour are at most so many times what was seen."""


class AnswerSum(NamedTuple):
    """Frames answered for the first time in an hour, its fields the table's columns.

    Args:
        labelled: those that have a label.
        estimated: those whose confidence tells the accuracy, see `quality.estimates`.
        expected_millionths: the sum of their confidences, times a million.
        audited: those that were kept at random and have an audit's label; `audited_correct` as `correct`.
    """

    family: str
    tables: str
    match: str
    hour: int
    shard: int
    frames: int
    scan_bytes: int
    labelled: int = 0
    correct: int = 0
    estimated: int = 0
    expected_millionths: int = 0
    audited: int = 0
    audited_correct: int = 0


class ByteSum(NamedTuple):
    """Requests that were answered in an hour, its fields the table's columns.

    Args:
        frames: those of them that were answered, each time that they were.
        http_bytes: of the requests, around their bodies; answer_bytes: all of the answers.
    """

    family: str
    tables: str
    hour: int
    shard: int
    frames: int
    scan_bytes: int
    tables_bytes: int
    markers_bytes: int
    http_bytes: int
    answer_bytes: int


class Answered(NamedTuple):
    """The answers of some hours; `first_hour` is the first that has any."""

    tables: str
    match: str
    first_hour: int
    frames: int
    scan_bytes: int
    labelled: int
    correct: int
    estimated: int = 0
    expected_millionths: int = 0
    audited: int = 0
    audited_correct: int = 0


class Known(NamedTuple):
    """What is known of how accurate a version's frames of one match are."""

    family: str
    tables: str
    estimated: int
    expected_millionths: int
    audited: int
    audited_correct: int


class Spent(NamedTuple):
    """The bytes of some hours, as `ByteSum`."""

    tables: str
    frames: int
    scan_bytes: int
    tables_bytes: int
    markers_bytes: int
    http_bytes: int
    answer_bytes: int


def key_of(family: str, result: StoredResult) -> tuple[str, str, str, int]:
    """The sum that an answer belongs to: family, tables, match, and the hour in which its frame came."""
    return family, result.tables, result.match, result.received_at_ns // (HOUR_SECONDS * 10**9)


def add_answer(connection: Connection, row: AnswerSum) -> None:
    """Add to the sums of answers; whatever shares the commit shares the statement."""
    add_later(connection, hourly_answers, row)


def add_bytes(connection: Connection, rows: Sequence[ByteSum]) -> None:
    """Add to the sums of bytes."""
    for row in rows:
        add_later(connection, hourly_bytes, row)


def answered(connection: Connection, family: str, first_hour: int) -> Sequence[Answered]:
    """What a family's frames were answered from an hour on, by tables and match."""
    of = hourly_answers.c
    counted = [func.sum(of[name]) for name in Answered._fields[3:]]
    query = select(of.tables, of.match, func.min(of.hour), *counted).where(of.family == family, of.hour >= first_hour)
    rows = connection.execute(query.group_by(of.tables, of.match).order_by(of.tables, of.match))
    return [Answered(tables, match, *map(int, numbers)) for tables, match, *numbers in rows]


def spent(connection: Connection, family: str, first_hour: int) -> Sequence[Spent]:
    """What a family's requests cost from an hour on, by tables."""
    of = hourly_bytes.c
    counted = [func.sum(of[name]) for name in Spent._fields[1:]]
    query = select(of.tables, *counted).where(of.family == family, of.hour >= first_hour)
    return [Spent(tables, *map(int, numbers)) for tables, *numbers in connection.execute(query.group_by(of.tables))]


def known(connection: Connection, match: str, first_hour: int) -> Sequence[Known]:
    """What is known of the accuracy of every family's versions from an hour on, of frames with this match."""
    of = hourly_answers.c
    counted = [func.sum(of[name]) for name in Known._fields[2:]]
    query = select(of.family, of.tables, *counted).where(of.match == match, of.hour >= first_hour)
    rows = connection.execute(query.group_by(of.family, of.tables).order_by(of.family, of.tables))
    return [Known(family, tables, *map(int, numbers)) for family, tables, *numbers in rows]


def are_there_before(connection: Connection, hour: int) -> bool:
    """Whether there are sums from before an hour."""
    tables = (hourly_answers, hourly_bytes, hourly_baselines)
    return any(connection.execute(select(exists().where(table.c.hour < hour))).scalar_one() for table in tables)


def remove_before(connection: Connection, hour: int) -> int:
    """Delete the sums from before an hour; returns how many rows went."""
    tables = (hourly_answers, hourly_bytes, hourly_baselines)
    return sum(connection.execute(delete(table).where(table.c.hour < hour)).rowcount for table in tables)
