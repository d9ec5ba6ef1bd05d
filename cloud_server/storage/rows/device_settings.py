"""Rows of what operators set for devices from afar."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, insert, select, update

from cloud_server.storage.schema import device_settings


class SettingsRow(NamedTuple):
    """Settings of a family, or of its devices that have `tag`; `set_at` in seconds since 1970."""

    family: str
    counter: int
    tag: str | None
    data: bytes
    set_at: float


_columns = device_settings.c
_holds = _columns.ended_at.is_(None)


def in_effect(connection: Connection, family: str | None = None) -> Sequence[SettingsRow]:
    """The settings that hold, of one family or of all, by family and counter."""
    query = _rows().where(_holds).order_by(_columns.family, _columns.counter)
    of_those = query if family is None else query.where(_columns.family == family)
    return [SettingsRow(*row) for row in connection.execute(of_those)]


def find(connection: Connection, family: str, counter: int) -> SettingsRow | None:
    """The settings of a number, whether they hold or not."""
    row = connection.execute(_rows().where(_columns.family == family, _columns.counter == counter)).one_or_none()
    return None if row is None else SettingsRow(*row)


def highest(connection: Connection, family: str) -> int:
    """The highest number that settings of a family ever had; 0 before the first."""
    query = select(func.max(_columns.counter)).where(_columns.family == family)
    return connection.execute(query).scalar_one() or 0


def add(connection: Connection, row: SettingsRow) -> None:
    """Have settings hold.

    Raises:
        IntegrityError: there are some of this number; `Database` makes it a ConstraintError.
    """
    connection.execute(insert(device_settings), row._asdict())


def end(connection: Connection, family: str, tag: str | None, now: float) -> SettingsRow | None:
    """Have the settings of a tag, or of the family as a whole, hold no longer; returns them, None without any."""
    these = _holds & (_columns.family == family) & _columns.tag.is_not_distinct_from(tag)
    row = connection.execute(_rows().where(these)).one_or_none()
    connection.execute(update(device_settings).where(these).values(ended_at=now))
    return None if row is None else SettingsRow(*row)


def _rows() -> Select[Any]:
    return select(_columns.family, _columns.counter, _columns.tag, _columns.data, _columns.set_at)
