"""Of the hourly sums, what some versions of a family's tables cost and achieved lately: found by key, not scanned."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from cloud_server.storage.sum_tables import hourly_answers, hourly_bytes
from shared.wire import Match


class VersionAnswers(NamedTuple):
    """Frames of a version that were answered by its own classifier, and how many of the labelled ones are right.

    Args:
        audited: those that were kept at random and have an audit's label; `audited_correct` as `correct`.
    """

    tables: str
    frames: int
    labelled: int
    correct: int
    audited: int = 0
    audited_correct: int = 0


class VersionBytes(NamedTuple):
    """Frames of a version, each time that they were answered; what their scans cost, and all that was sent for them."""

    tables: str
    frames: int
    scan_bytes: int
    sent_bytes: int


def answered(connection: Connection, family: str, tables: Collection[str], first_hour: int) -> Sequence[VersionAnswers]:
    """What was answered from an hour on, by tables."""
    of = hourly_answers.c
    counted = [func.sum(of[name]) for name in VersionAnswers._fields[1:]]
    wanted = (of.family == family) & of.tables.in_(sorted(tables)) & (of.match == Match.EXACT.value)
    query = select(of.tables, *counted).where(wanted, of.hour >= first_hour).group_by(of.tables)
    return [VersionAnswers(name, *map(int, sums)) for name, *sums in connection.execute(query)]


def spent(connection: Connection, family: str, tables: Collection[str], first_hour: int) -> Sequence[VersionBytes]:
    """What was sent from an hour on, by tables."""
    of = hourly_bytes.c
    sent = of.scan_bytes + of.tables_bytes + of.markers_bytes + of.http_bytes
    counted = [func.sum(of.frames), func.sum(of.scan_bytes), func.sum(sent)]
    wanted = (of.family == family) & of.tables.in_(sorted(tables))
    query = select(of.tables, *counted).where(wanted, of.hour >= first_hour).group_by(of.tables)
    return [VersionBytes(name, *map(int, sums)) for name, *sums in connection.execute(query)]
