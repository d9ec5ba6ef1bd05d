"""Rows of what was published: bundles and fallbacks, as their canonical bytes."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from cloud_server.storage.schema import bundles, fallbacks


class PublishedRow(NamedTuple):
    """Canonical bytes of a bundle or a fallback, and when they were recorded (seconds since 1970)."""

    data: bytes
    registered_at: float


def bundle_keys(connection: Connection) -> Sequence[tuple[str, int]]:
    """(family, counter) of every bundle."""
    return [(family, counter) for family, counter in connection.execute(select(bundles.c.family, bundles.c.counter))]


def bundle(connection: Connection, family: str, counter: int) -> PublishedRow:
    """One bundle that is there."""
    of_key = (bundles.c.family == family) & (bundles.c.counter == counter)
    return PublishedRow(*connection.execute(select(bundles.c.data, bundles.c.registered_at).where(of_key)).one())


def add_bundle(connection: Connection, family: str, counter: int, row: PublishedRow) -> None:
    """Record a bundle.

    Raises:
        IntegrityError: one with this counter is there; `Database` makes it a ConstraintError.
    """
    connection.execute(insert(bundles), {"family": family, "counter": counter, **row._asdict()})


def fallback_names(connection: Connection) -> Sequence[str]:
    """The name of every fallback."""
    return connection.execute(select(fallbacks.c.name)).scalars().all()


def fallback(connection: Connection, name: str) -> PublishedRow:
    """One fallback that is there."""
    of_name = select(fallbacks.c.data, fallbacks.c.registered_at).where(fallbacks.c.name == name)
    return PublishedRow(*connection.execute(of_name).one())


def add_fallback(connection: Connection, name: str, family: str, row: PublishedRow) -> None:
    """Record a fallback.

    Raises:
        IntegrityError: one with this name is there; `Database` makes it a ConstraintError.
    """
    connection.execute(insert(fallbacks), {"name": name, "family": family, **row._asdict()})
