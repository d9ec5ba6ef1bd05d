"""Rows of the TUF repositories: their files, by the name under which devices fetch them, and the families."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from cloud_server.errors import ConstraintError
from cloud_server.storage.schema import tuf_families, tuf_files


class TufFamilyRow(NamedTuple):
    """A family's repository, its fields the table's columns; times are seconds since 1970.

    Args:
        listed: the target paths that its targets metadata list, one a line.
        floor: what they say: no device takes a bundle of a lower counter.
    """

    family: str
    timestamp_version: int
    renew_at: float
    expires_at: float
    targets_expire_at: float
    listed: str
    floor: int


def read_file(connection: Connection, name: str) -> bytes | None:
    """One file; None when there is none."""
    return connection.execute(select(tuf_files.c.data).where(tuf_files.c.name == name)).scalar_one_or_none()


def add_file(connection: Connection, name: str, data: bytes) -> None:
    """Add a file.

    Raises:
        IntegrityError: one of its name is there; `Database` makes it a ConstraintError.
    """
    connection.execute(insert(tuf_files), {"name": name, "data": data})


def lock_family(connection: Connection, family: str) -> None:
    """Let nobody else change or lock a family's files until the transaction ends; SQLite's writers take turns."""
    connection.execute(select(tuf_families.c.family).where(tuf_families.c.family == family).with_for_update())


def change_family(
    connection: Connection, row: TufFamilyRow, follows: int, files: Mapping[str, bytes], timestamp_name: str
) -> None:
    """Put files in place: the timestamp takes the place of the one before, every other file is new.

    Args:
        follows: the version of the timestamp that is replaced; 0 begins the family.

    Raises:
        ConstraintError, IntegrityError: somebody else replaced that timestamp first, or added one of the files.
    """
    if follows == 0:
        connection.execute(insert(tuf_families), row._asdict())
    else:
        _replace_family(connection, row, follows)
        connection.execute(delete(tuf_files).where(tuf_files.c.name == timestamp_name))
    connection.execute(insert(tuf_files), [{"name": name, "data": data} for name, data in files.items()])


def _replace_family(connection: Connection, row: TufFamilyRow, follows: int) -> None:
    is_same = (tuf_families.c.family == row.family) & (tuf_families.c.timestamp_version == follows)
    if connection.execute(update(tuf_families).where(is_same).values(row._asdict())).rowcount != 1:
        raise ConstraintError


def remove_others(connection: Connection, family: str, kept: Collection[str]) -> None:
    """Remove a family's files but those that are `kept`."""
    is_other = tuf_files.c.name.startswith(f"{family}/", autoescape=True) & tuf_files.c.name.not_in(kept)
    connection.execute(delete(tuf_files).where(is_other))


def count_other_families(connection: Connection, family: str) -> int:
    """How many families beside this one have a repository."""
    query = select(func.count()).select_from(tuf_families).where(tuf_families.c.family != family)
    return connection.execute(query).scalar_one()


def families_due(connection: Connection, now: float, limit: int) -> Sequence[str]:
    """The families whose snapshot or timestamp are to be signed anew, the latest first."""
    is_due = tuf_families.c.renew_at <= now
    query = select(tuf_families.c.family).where(is_due).order_by(tuf_families.c.renew_at).limit(limit)
    return connection.execute(query).scalars().all()


def renew_at(connection: Connection, family: str, moment: float) -> None:
    """Have a family signed anew at a moment."""
    connection.execute(update(tuf_families).where(tuf_families.c.family == family).values(renew_at=moment))


def expire_online(connection: Connection, now: float) -> None:
    """Note that nobody believes any snapshot or timestamp longer than until now, so that all are signed anew."""
    connection.execute(update(tuf_families).values(renew_at=0.0, expires_at=now))


def read_timestamp(connection: Connection, family: str, name: str) -> tuple[bytes, float] | None:
    """A family's timestamp file and when it, or the snapshot that it names, expires; None when there is none."""
    both = tuf_files.join(tuf_families, tuf_families.c.family == family)
    query = select(tuf_files.c.data, tuf_families.c.expires_at).select_from(both).where(tuf_files.c.name == name)
    row = connection.execute(query).one_or_none()
    return None if row is None else (row.data, row.expires_at)


def first_expiry(connection: Connection) -> tuple[float | None, float | None]:
    """When the first of all snapshots and timestamps expires, and the first of all targets metadata."""
    query = select(func.min(tuf_families.c.expires_at), func.min(tuf_families.c.targets_expire_at))
    online, targets = connection.execute(query).one()
    return online, targets


def listed(connection: Connection) -> frozenset[str]:
    """The target paths that the targets metadata of all families list."""
    lists = connection.execute(select(tuf_families.c.listed)).scalars()
    return frozenset(path for paths in lists if paths for path in paths.splitlines())


def floors(connection: Connection) -> Mapping[str, int]:
    """The floor of every family that has a repository."""
    rows = connection.execute(select(tuf_families.c.family, tuf_families.c.floor))
    return {row.family: row.floor for row in rows}


def every_family(connection: Connection) -> Sequence[TufFamilyRow]:
    """All families that have a repository."""
    query = select(*(tuf_families.c[name] for name in TufFamilyRow._fields)).order_by(tuf_families.c.family)
    return [TufFamilyRow(*row) for row in connection.execute(query)]
