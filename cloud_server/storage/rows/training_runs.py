"""Rows of trainings: which waits, which is under way and who has it, and what came of those before."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, delete, func, select, tuple_, update

from cloud_server.storage.database import insert_or_ignore
from cloud_server.storage.training_tables import training_runs


class RunRow(NamedTuple):
    """A training, its fields the table's columns; times are seconds since 1970.

    Args:
        asked_by: the operator who asked for it, or whose token began it.
        worker: the program that has it, or had it last; None: none took it yet.
        lease_until: until when the worker has it to itself, unless it tells before.
        attempts: how often it was taken by a worker that did not have it.
        share: how much of the stage is done, 0 to 1.
        data_until: up to when labels were known to what it learned from.
        document: what came of it in full, as JSON.
    """

    id: str
    family: str
    trigger: str
    reason: str | None
    asked_by: str
    created_at: float
    state: str
    worker: str | None = None
    lease_until: float | None = None
    attempts: int = 0
    started_at: float | None = None
    stage: str | None = None
    share: float | None = None
    told_at: float | None = None
    ended_at: float | None = None
    outcome: str | None = None
    counter: int | None = None
    rollout: str | None = None
    data_until: float | None = None
    document: str | None = None


class EndRow(NamedTuple):
    """When a family's runs ended so the last time."""

    family: str
    outcome: str
    ended_at: float


_of = training_runs.c
_columns = [_of[name] for name in RunRow._fields]
_is_open = _of.open_family.is_not(None)


def add(connection: Connection, row: RunRow) -> bool:
    """Add a run that is open; False where another one of the family is."""
    added = connection.execute(insert_or_ignore(training_runs), row._asdict() | {"open_family": row.family})
    return added.rowcount == 1


def change(connection: Connection, row: RunRow) -> None:
    """Put a run as it is wanted in the place of the one with its name, which `find` or `open_of` locked."""
    open_family = row.family if row.ended_at is None else None
    this = update(training_runs).where(_of.id == row.id)
    connection.execute(this.values(**row._asdict(), open_family=open_family))


def find(connection: Connection, run: str, *, is_locked: bool = False) -> RunRow | None:
    """One run; None: there is no such.

    Args:
        is_locked: whether nobody may change it before the transaction ends.
    """
    return _first(connection, select(*_columns).where(_of.id == run), is_locked=is_locked)


def open_of(connection: Connection, family: str, *, is_locked: bool = False) -> RunRow | None:
    """The run of a family that waits or is under way; None: there is none. `is_locked` as for `find`."""
    return _first(connection, select(*_columns).where(_of.open_family == family), is_locked=is_locked)


def every_open(connection: Connection) -> Sequence[RunRow]:
    """The runs that wait or are under way, by family."""
    return _rows(connection, select(*_columns).where(_is_open).order_by(_of.family))


def page(connection: Connection, family: str | None, after: str | None, limit: int) -> Sequence[RunRow]:
    """At most `limit` runs without their documents, the newest first.

    Args:
        family: None: of all families.
        after: the run after which to go on; None: begin.
    """
    query = select(*_columns[:-1]).order_by(_of.created_at.desc(), _of.id.desc()).limit(limit)
    if family is not None:
        query = query.where(_of.family == family)
    if after is not None:
        last = select(_of.created_at, _of.id).where(_of.id == after)
        query = query.where(tuple_(_of.created_at, _of.id) < last.scalar_subquery())
    return _rows(connection, query)


def last_ended(connection: Connection, family: str, outcomes: Collection[str]) -> RunRow | None:
    """The run of a family that ended last with one of these outcomes; None: none did."""
    query = select(*_columns).where(_of.family == family, _of.outcome.in_(outcomes))
    return _first(connection, query.order_by(_of.ended_at.desc(), _of.id.desc()).limit(1))


def ends(connection: Connection) -> Sequence[EndRow]:
    """When runs ended the last time, by family and outcome."""
    query = select(_of.family, _of.outcome, func.max(_of.ended_at)).where(_of.outcome.is_not(None))
    found = connection.execute(query.group_by(_of.family, _of.outcome).order_by(_of.family, _of.outcome))
    return [EndRow(*row) for row in found]


def count_ended(connection: Connection, family: str, outcome: str, since: float | None) -> int:
    """How many runs of a family ended so, later than `since`; None: ever."""
    query = select(func.count()).where(_of.family == family, _of.outcome == outcome)
    counted = query if since is None else query.where(_of.ended_at > since)
    return int(connection.execute(counted).scalar_one())


def remove_old(connection: Connection, family: str, keep: int) -> int:
    """Delete the ended runs of a family behind the newest `keep` runs of it; returns how many went."""
    of_family = select(_of.created_at).where(_of.family == family)
    oldest = connection.execute(
        of_family.order_by(_of.created_at.desc()).offset(keep - 1).limit(1)
    ).scalar_one_or_none()
    if oldest is None:
        return 0
    is_old = (_of.family == family) & (_of.created_at < oldest) & ~_is_open
    return connection.execute(delete(training_runs).where(is_old)).rowcount


def _first(connection: Connection, query: Select[Any], *, is_locked: bool = False) -> RunRow | None:
    return next(iter(_rows(connection, query.with_for_update() if is_locked else query)), None)


def _rows(connection: Connection, query: Select[Any]) -> Sequence[RunRow]:
    return [RunRow(*row) for row in connection.execute(query)]
