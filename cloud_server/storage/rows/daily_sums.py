"""The hourly sums by day, of all families: what overviews show. A day is counted since 1970, in UTC."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from cloud_server.storage.rows.sums import HOUR_SECONDS
from cloud_server.storage.sum_tables import hourly_answers, hourly_baselines, hourly_bytes

DAY_HOURS = 24
DAY_SECONDS = DAY_HOURS * HOUR_SECONDS


class DaySpent(NamedTuple):
    """What a family's requests with some tables cost on a day.

    Args:
        received_bytes: as the socket saw them come in; http_bytes: those of them around the frames.
    """

    day: int
    family: str
    tables: str
    frames: int
    received_bytes: int
    http_bytes: int


class DayAnswered(NamedTuple):
    """How many of a family's frames of a day have a label, and how many of these were answered with it.

    Args:
        estimated: those whose confidence tells the accuracy; expected_millionths: the sum of these, times a million.
        audited: those that were kept at random and have an audit's label; `audited_correct` as `correct`.
    """

    day: int
    family: str
    frames: int
    labelled: int
    correct: int
    estimated: int = 0
    expected_millionths: int = 0
    audited: int = 0
    audited_correct: int = 0


class MeasuredRatio(NamedTuple):
    """Frames of a family and tables of which it was found out what ordinary JPEG would have cost."""

    family: str
    tables: str
    payload_bytes: int
    baseline_bytes: int


def spent_by_day(connection: Connection, first_day: int) -> Sequence[DaySpent]:
    """The bytes from a day on, by day, family and tables, in this order."""
    of = hourly_bytes.c
    day = of.hour // DAY_HOURS
    received = of.scan_bytes + of.tables_bytes + of.markers_bytes + of.http_bytes
    query = select(day, of.family, of.tables, func.sum(of.frames), func.sum(received), func.sum(of.http_bytes))
    rows = connection.execute(query.where(of.hour >= first_day * DAY_HOURS).group_by(day, of.family, of.tables))
    return sorted(DaySpent(int(day), family, tables, *map(int, numbers)) for day, family, tables, *numbers in rows)


def answered_by_day(connection: Connection, first_day: int) -> Sequence[DayAnswered]:
    """The answers from a day on, by day and family, in this order."""
    of = hourly_answers.c
    day = of.hour // DAY_HOURS
    counted = [func.sum(of[name]) for name in DayAnswered._fields[2:]]
    query = select(day, of.family, *counted).where(of.hour >= first_day * DAY_HOURS).group_by(day, of.family)
    found = (DayAnswered(int(day), family, *map(int, numbers)) for day, family, *numbers in connection.execute(query))
    return sorted(found)


def measured_since(connection: Connection, first_day: int) -> Sequence[MeasuredRatio]:
    """What was found out of ordinary JPEG from a day on, by family and tables."""
    of = hourly_baselines.c
    query = select(of.family, of.tables, func.sum(of.payload_bytes), func.sum(of.baseline_bytes))
    rows = connection.execute(query.where(of.hour >= first_day * DAY_HOURS).group_by(of.family, of.tables))
    return [MeasuredRatio(family, tables, int(payload), int(baseline)) for family, tables, payload, baseline in rows]
