"""What was published: every bundle and fallback as recorded, held in memory and read from the database."""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from cloud_server.inference.routing import Published
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import published as rows
from shared.bundle import Bundle, Fallback


@dataclass(frozen=True, slots=True)
class Registered:
    """What was published, as recorded; `data` is its canonical bytes, `registered_at` seconds since 1970."""

    published: Published
    data: bytes
    registered_at: float


class Catalogue:
    """All that was published.

    Attributes:
        changing: held by whoever calls `read_new` or `add`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._registered: dict[str, Registered] = {}
        self.changing = asyncio.Lock()

    async def read_new(self) -> list[Published]:
        """Take in what is recorded and not known here yet; returns it.

        Raises:
            StorageError: the database does not answer.
        """
        found = await self._database.read(partial(_recorded, known=frozenset(self._registered)))
        for registered in found:
            self.add(registered)
        return [registered.published for registered in found]

    def add(self, registered: Registered) -> None:
        """Take in one that is recorded."""
        self._registered[registered.published.name] = registered

    def find(self, name: str) -> Registered | None:
        """A bundle or a fallback by its name; None when it is not known here."""
        return self._registered.get(name)

    def every(self) -> list[Published]:
        """All bundles and fallbacks, in the order in which they came to be known."""
        return [registered.published for registered in self._registered.values()]

    def bundles(self) -> Sequence[Registered]:
        """Every recorded bundle, by family and counter."""
        return sorted(self._of_kind(Bundle), key=lambda one: (one.published.family, counter_of(one.published)))

    def bundles_of(self, family: str) -> list[Bundle]:
        """The bundles of a family, by counter."""
        of_family = (one for one in self.every() if isinstance(one, Bundle) and one.family == family)
        return sorted(of_family, key=counter_of)

    def counters(self, family: str) -> list[int]:
        """The counters of a family's bundles, in order."""
        return [bundle.counter for bundle in self.bundles_of(family)]

    def fallbacks(self) -> Sequence[Registered]:
        """Every recorded fallback, by family and age; a family's last one serves."""
        return sorted(self._of_kind(Fallback), key=lambda one: (one.published.family, one.published.created_at))

    def _of_kind(self, kind: type[Published]) -> Iterator[Registered]:
        return (one for one in self._registered.values() if isinstance(one.published, kind))


def counter_of(published: Published) -> int:
    """A bundle's counter; fallbacks have none, and 0 stands for that."""
    return published.counter if isinstance(published, Bundle) else 0


def store(transaction: Transaction, registered: Registered) -> None:
    """Record what is published, as part of a transaction."""
    published, row = registered.published, rows.PublishedRow(registered.data, registered.registered_at)
    if isinstance(published, Bundle):
        rows.add_bundle(transaction, published.family, published.counter, row)
    else:
        rows.add_fallback(transaction, published.name, published.family, row)


def _recorded(transaction: Transaction, known: Collection[str]) -> list[Registered]:
    """What is recorded beside `known`; when there is nothing, only names are read."""
    found = []
    for family, counter in rows.bundle_keys(transaction):
        if f"{family}/{counter}" not in known:
            row = rows.bundle(transaction, family, counter)
            found.append(Registered(Bundle.from_bytes(row.data), row.data, row.registered_at))
    for name in rows.fallback_names(transaction):
        if name not in known:
            row = rows.fallback(transaction, name)
            found.append(Registered(Fallback.from_bytes(row.data), row.data, row.registered_at))
    return found
