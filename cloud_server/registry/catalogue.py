"""What was published: every bundle and fallback as recorded, held in memory and read from the database."""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import nsmallest

from cloud_server.inference.routing import Published
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import published as rows
from shared.bundle import Bundle, Fallback

READ_AT_ONCE = 100
"""So many are read in one statement: thousands take longer than one may."""


@dataclass(frozen=True, slots=True)
class Registered:
    """What was published, as recorded; `data` is its canonical bytes, `registered_at` seconds since 1970."""

    published: Published
    data: bytes
    registered_at: float


class Catalogue:
    """All that was published.

    Attributes:
        released: the name of each family's released fallback, by family, as `read_new` found it last.
        changing: held by whoever calls `read_new` or `add`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._registered: dict[str, Registered] = {}
        self.released: Mapping[str, str] = {}
        self.changing = asyncio.Lock()

    async def read_new(self) -> list[Published]:
        """Take in what is recorded and not known here yet, and which fallbacks are released; returns the former.

        Raises:
            StorageError: the database does not answer.
        """
        unknown = partial(_unknown, known=frozenset(self._registered))
        released, bundles, fallbacks = await self._database.read(unknown)
        found = []
        for at in range(0, len(bundles), READ_AT_ONCE):
            found += await self._database.read(partial(_bundles, keys=bundles[at : at + READ_AT_ONCE]))
        for at in range(0, len(fallbacks), READ_AT_ONCE):
            found += await self._database.read(partial(_fallbacks, names=fallbacks[at : at + READ_AT_ONCE]))
        self._registered |= {one.published.name: one for one in found}
        self.released = released
        return [registered.published for registered in found]

    def add(self, registered: Registered) -> None:
        """Take in one that is recorded."""
        self._registered[registered.published.name] = registered

    def find(self, name: str) -> Registered | None:
        """A bundle or a fallback by its name; None when it is not known here."""
        return self._registered.get(name)

    def registered(self) -> list[Registered]:
        """All bundles and fallbacks as recorded, in the order in which they came to be known. For any thread."""
        return list(self._registered.values())

    def every(self) -> list[Published]:
        """All bundles and fallbacks, in the order in which they came to be known."""
        return [registered.published for registered in self._registered.values()]

    def answering(self) -> list[Published]:
        """All that may answer frames: every bundle, and the released fallbacks."""
        bundles = (one for one in self.every() if isinstance(one, Bundle))
        return [*bundles, *self.released_fallbacks()]

    def released_fallbacks(self) -> list[Fallback]:
        """The released fallbacks, one a family at most."""
        every = (self._registered[name].published for name in self.released.values())
        return [one for one in every if isinstance(one, Fallback)]

    def bundles(self) -> Sequence[Registered]:
        """Every recorded bundle, by family and counter."""
        return sorted(self._of_kind(Bundle), key=_place)

    def page(self, family: str | None, after: str | None, limit: int) -> tuple[Sequence[Registered], str | None]:
        """At most `limit` bundles, by family and counter, and the name after which to go on; None at the end.

        Args:
            family: of this one alone.
            after: the name of a bundle, there or not; those that follow it.
        """
        wanted = (one for one in self._of_kind(Bundle) if family in (None, one.published.family))
        first = ("", 0) if after is None else _key_of(after)
        found = nsmallest(limit + 1, (one for one in wanted if _place(one) > first), key=_place)
        return found[:limit], found[limit - 1].published.name if len(found) > limit else None

    def bundles_of(self, family: str) -> list[Bundle]:
        """The bundles of a family, by counter."""
        of_family = (one for one in self.every() if isinstance(one, Bundle) and one.family == family)
        return sorted(of_family, key=counter_of)

    def counters(self, family: str) -> list[int]:
        """The counters of a family's bundles, in order."""
        return [bundle.counter for bundle in self.bundles_of(family)]

    def contents_of(self, family: str) -> dict[str, bytes]:
        """The canonical bytes of a family's bundles and fallbacks, by target path."""
        every = self._registered.values()
        return {one.published.target_path: one.data for one in every if one.published.family == family}

    def fallbacks(self) -> Sequence[Registered]:
        """Every recorded fallback, by family and when it was recorded."""
        return sorted(
            self._of_kind(Fallback), key=lambda one: (one.published.family, one.registered_at, one.published.name)
        )

    def _of_kind(self, kind: type[Published]) -> Iterator[Registered]:
        return (one for one in self._registered.values() if isinstance(one.published, kind))


def counter_of(published: Published) -> int:
    """A bundle's counter; fallbacks have none, and 0 stands for that."""
    return published.counter if isinstance(published, Bundle) else 0


def floor_of_bundles(published: Iterable[Bundle]) -> int:
    """The lowest counter that devices of a family still run: the highest `min_counter` of its published bundles."""
    return max((one.min_counter for one in published), default=1)


def _place(registered: Registered) -> tuple[str, int]:
    return registered.published.family, counter_of(registered.published)


def _key_of(name: str) -> tuple[str, int]:
    """A bundle's family and counter, by its name."""
    family, _, counter = name.rpartition("/")
    return family, int(counter)


def store(transaction: Transaction, registered: Registered) -> None:
    """Record what is published, as part of a transaction."""
    published, row = registered.published, rows.PublishedRow(registered.data, registered.registered_at)
    if isinstance(published, Bundle):
        rows.add_bundle(transaction, published.family, published.counter, row)
    else:
        rows.add_fallback(transaction, published.name, published.family, row)


def _unknown(
    transaction: Transaction, known: Collection[str]
) -> tuple[Mapping[str, str], list[tuple[str, int]], list[str]]:
    """The released fallbacks; then, of what is recorded, the bundles' keys and fallbacks' names that are not `known`.

    What is released is read first: so it is known, or among the names.
    """
    released = rows.released(transaction)
    keys = [
        (family, counter) for family, counter in rows.bundle_keys(transaction) if f"{family}/{counter}" not in known
    ]
    return released, keys, [name for name in rows.fallback_names(transaction) if name not in known]


def _bundles(transaction: Transaction, keys: Sequence[tuple[str, int]]) -> list[Registered]:
    found = rows.several_bundles(transaction, keys)
    return [Registered(Bundle.from_bytes(row.data), row.data, row.registered_at) for row in found]


def _fallbacks(transaction: Transaction, names: Sequence[str]) -> list[Registered]:
    found = rows.several_fallbacks(transaction, names)
    return [Registered(Fallback.from_bytes(row.data), row.data, row.registered_at) for row in found]
