"""Rows of what was published: bundles and fallbacks, as their canonical bytes; and which fallbacks are released."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, exists, insert, select, tuple_
from sqlalchemy.dialects.postgresql import Insert

from cloud_server.storage.schema import bundles, fallbacks, released_fallbacks


class PublishedRow(NamedTuple):
    """Canonical bytes of a bundle or a fallback, and when they were recorded (seconds since 1970)."""

    data: bytes
    registered_at: float


def bundle_keys(connection: Connection) -> Sequence[tuple[str, int]]:
    """(family, counter) of every bundle."""
    return [(family, counter) for family, counter in connection.execute(select(bundles.c.family, bundles.c.counter))]


def has_bundle(connection: Connection, family: str, counter: int) -> bool:
    """Whether a bundle is recorded."""
    this = (bundles.c.family == family) & (bundles.c.counter == counter)
    return bool(connection.execute(select(exists().where(this))).scalar_one())


def several_bundles(connection: Connection, keys: Sequence[tuple[str, int]]) -> Sequence[PublishedRow]:
    """The bundles of these (family, counter), by family and counter."""
    key = tuple_(bundles.c.family, bundles.c.counter)
    query = select(bundles.c.data, bundles.c.registered_at).where(key.in_(keys))
    return [PublishedRow(*row) for row in connection.execute(query.order_by(bundles.c.family, bundles.c.counter))]


def add_bundle(connection: Connection, family: str, counter: int, row: PublishedRow) -> None:
    """Record a bundle.

    Raises:
        IntegrityError: one with this counter is there; `Database` makes it a ConstraintError.
    """
    connection.execute(insert(bundles), {"family": family, "counter": counter, **row._asdict()})


def fallback_names(connection: Connection) -> Sequence[str]:
    """The name of every fallback, the one that was registered last at the end."""
    query = select(fallbacks.c.name).order_by(fallbacks.c.registered_at, fallbacks.c.name)
    return connection.execute(query).scalars().all()


def several_fallbacks(connection: Connection, names: Sequence[str]) -> Sequence[PublishedRow]:
    """The fallbacks of these names, the one that was registered last at the end."""
    query = select(fallbacks.c.data, fallbacks.c.registered_at).where(fallbacks.c.name.in_(names))
    ordered = query.order_by(fallbacks.c.registered_at, fallbacks.c.name)
    return [PublishedRow(*row) for row in connection.execute(ordered)]


def newest_fallback(connection: Connection, family: str) -> str | None:
    """The name of the family's fallback that was registered last; None where it has none."""
    of_family = select(fallbacks.c.name).where(fallbacks.c.family == family)
    newest = of_family.order_by(fallbacks.c.registered_at.desc(), fallbacks.c.name.desc()).limit(1)
    return connection.execute(newest).scalar_one_or_none()


def add_fallback(connection: Connection, name: str, family: str, row: PublishedRow) -> None:
    """Record a fallback.

    Raises:
        IntegrityError: one with this name is there; `Database` makes it a ConstraintError.
    """
    connection.execute(insert(fallbacks), {"name": name, "family": family, **row._asdict()})


def released(connection: Connection) -> Mapping[str, str]:
    """The name of each family's released fallback, by family; families without one are left out."""
    of = released_fallbacks.c
    return {row.family: row.name for row in connection.execute(select(of.family, of.name))}


def released_of(connection: Connection, family: str) -> str | None:
    """The name of a family's released fallback; None where it has none."""
    of = released_fallbacks.c
    return connection.execute(select(of.name).where(of.family == family)).scalar_one_or_none()


def release(connection: Connection, family: str, name: str, now: float) -> None:
    """Make a fallback its family's released one, in the place of any other."""
    adding = Insert(released_fallbacks)
    changed = {column: adding.excluded[column] for column in ("name", "released_at")}
    upsert = adding.on_conflict_do_update(index_elements=["family"], set_=changed)
    connection.execute(upsert, {"family": family, "name": name, "released_at": now})


def withdraw(connection: Connection, family: str) -> None:
    """Leave a family without a released fallback."""
    connection.execute(delete(released_fallbacks).where(released_fallbacks.c.family == family))
