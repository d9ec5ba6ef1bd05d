"""Rows of rollouts: from which bundle to which one a family is led, how far that has come, and who is exposed."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, select, tuple_, update

from cloud_server.storage.database import insert_or_ignore
from cloud_server.storage.rollout_tables import rollouts
from cloud_server.storage.rows import assignments
from cloud_server.storage.rows.tuf_files import lock_family

SUPERSEDED = "superseded"
"""The state of a rollout whose family was assigned something else."""


class NewRollout(NamedTuple):
    """A rollout that shall begin, nobody exposed yet; `plan` is JSON, times are seconds since 1970."""

    id: str
    family: str
    counter: int
    plan: str
    state: str
    stage: int
    starts_at: float | None
    created_by: str
    note: str | None


class RolloutRow(NamedTuple):
    """A rollout, its fields the table's columns.

    Args:
        old_counter, old_seq: what the family is assigned meanwhile; None: nothing.
        counter, seq: the assignment of exposed devices.
        reaches: who is exposed, as `fleet.exposure.text_of` writes it.
        looks: how many looks were taken in this stage.
        version: it rises with each change.
        ended_at: None while it is active.
        led_at: when a process led it last, to some seconds; None: none has.
        outcomes: how many devices had which outcome, as JSON, once their rows are deleted; None: they are there.
    """

    id: str
    family: str
    old_counter: int | None
    old_seq: int | None
    counter: int
    seq: int
    plan: str
    reaches: str
    state: str
    stage: int
    paused_why: str | None
    state_since: float
    stage_since: float
    looks: int
    starts_at: float | None
    version: int
    created_at: float
    created_by: str
    ended_at: float | None
    note: str | None
    led_at: float | None
    outcomes: str | None = None


class ExposureRow(NamedTuple):
    """What an active rollout leads whom to."""

    id: str
    family: str
    counter: int
    seq: int
    reaches: str


_columns = [rollouts.c[name] for name in RolloutRow._fields]
_is_active = rollouts.c.active_family.is_not(None)


def start(connection: Connection, new: NewRollout, now: float) -> RolloutRow | None:
    """Begin a rollout from what the family is assigned; None where one of the family is active.

    The family is locked until the transaction ends, so that nothing is assigned to it meanwhile.
    """
    lock_family(connection, new.family)
    if active_of(connection, new.family) is not None:
        return None
    before = assignments.newest_of(connection, new.family)
    given = assignments.add_of_rollout(connection, new.family, new.counter, now)
    old = (None, None) if before is None else (before.counter, before.seq)
    return _added(connection, new, old, given.seq, now, ended_at=None)


def record(connection: Connection, new: NewRollout, old: tuple[int | None, int | None], seq: int, now: float) -> None:
    """Note a rollout that is complete as it begins.

    Args:
        old: counter and number of what the family was assigned before.
        seq: the number of what it is assigned now.
    """
    _added(connection, new, old, seq, now, ended_at=now)


def change(connection: Connection, wanted: RolloutRow) -> RolloutRow | None:
    """Put a rollout as it is wanted in the place of the one of this version; None where another change was first.

    Returns:
        The row as it is now, with the next version.
    """
    after = wanted._replace(version=wanted.version + 1)
    this = (rollouts.c.id == wanted.id) & (rollouts.c.version == wanted.version) & _is_active
    active_family = wanted.family if wanted.ended_at is None else None
    changed = connection.execute(update(rollouts).where(this).values(**after._asdict(), active_family=active_family))
    return after if changed.rowcount == 1 else None


def complete(connection: Connection, wanted: RolloutRow, now: float) -> RolloutRow | None:
    """Change a rollout as `change` does, and release its bundle: its assignment is the family's from now on."""
    after = change(connection, wanted._replace(ended_at=now))
    if after is not None:
        assignments.release(connection, after.family, after.seq, now)
    return after


def note_led(connection: Connection, now: float) -> None:
    """Note that the active rollouts are led now."""
    connection.execute(update(rollouts).where(_is_active).values(led_at=now))


def supersede(connection: Connection, family: str, now: float) -> str | None:
    """End the active rollout of a family, for something else is assigned to it; returns which, None: there was none."""
    this = update(rollouts).where(rollouts.c.active_family == family)
    ended = this.values(
        state=SUPERSEDED,
        reaches="[]",
        paused_why=None,
        state_since=now,
        ended_at=now,
        active_family=None,
        version=rollouts.c.version + 1,
    )
    return connection.execute(ended.returning(rollouts.c.id)).scalar_one_or_none()


def exposures(connection: Connection) -> Sequence[ExposureRow]:
    """What the active rollouts lead whom to, by family."""
    query = select(*(rollouts.c[name] for name in ExposureRow._fields)).where(_is_active)
    return [ExposureRow(*row) for row in connection.execute(query.order_by(rollouts.c.family))]


def active(connection: Connection) -> Sequence[RolloutRow]:
    """The active rollouts, by family."""
    return _rows(connection, select(*_columns).where(_is_active).order_by(rollouts.c.family))


def active_of(connection: Connection, family: str) -> RolloutRow | None:
    """The active rollout of a family; None: it has none."""
    return next(iter(_rows(connection, select(*_columns).where(rollouts.c.active_family == family))), None)


def find(connection: Connection, rollout: str) -> RolloutRow | None:
    """One rollout; None: there is no such."""
    return next(iter(_rows(connection, select(*_columns).where(rollouts.c.id == rollout))), None)


def page(connection: Connection, family: str | None, after: str | None, limit: int) -> Sequence[RolloutRow]:
    """At most `limit` rollouts, the newest first.

    Args:
        family: None: of all families.
        after: the rollout after which to go on; None: begin.
    """
    query = select(*_columns).order_by(rollouts.c.created_at.desc(), rollouts.c.id.desc()).limit(limit)
    if family is not None:
        query = query.where(rollouts.c.family == family)
    if after is not None:
        last = select(rollouts.c.created_at, rollouts.c.id).where(rollouts.c.id == after)
        query = query.where(tuple_(rollouts.c.created_at, rollouts.c.id) < last.scalar_subquery())
    return _rows(connection, query)


def _added(
    connection: Connection,
    new: NewRollout,
    old: tuple[int | None, int | None],
    seq: int,
    now: float,
    ended_at: float | None,
) -> RolloutRow | None:
    """The row of a rollout that exposes nobody yet; None where it is active, and another one of the family, too."""
    row = RolloutRow(
        **new._asdict(),
        old_counter=old[0],
        old_seq=old[1],
        seq=seq,
        reaches="[]",
        paused_why=None,
        state_since=now,
        stage_since=now,
        looks=0,
        version=1,
        created_at=now,
        ended_at=ended_at,
        led_at=now,
    )
    active_family = new.family if ended_at is None else None
    added = connection.execute(insert_or_ignore(rollouts), row._asdict() | {"active_family": active_family})
    return row if added.rowcount == 1 else None


def _rows(connection: Connection, query: Select[Any]) -> Sequence[RolloutRow]:
    return [RolloutRow(*row) for row in connection.execute(query)]
