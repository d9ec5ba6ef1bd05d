"""Which settings from afar hold for a device: those of a tag that it has, else its family's, else none.

Where settings of several of its tags hold, those that were set last do: each is whole, and nothing is mixed.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from cloud_server.fleet.devices import Device
from cloud_server.fleet.exposed import TagsRead
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import device_settings as rows
from cloud_server.storage.rows.fleet import tags_of_families
from shared.bundle import settings_path


@dataclass(frozen=True, slots=True)
class Scope:
    """The number of settings that hold, and for which tag; None: for the family."""

    counter: int
    tag: str | None


def counter_of(scopes: Iterable[Scope], tags: Collection[str]) -> int:
    """The number of the settings that hold for a device with these tags; 0: none do."""
    scopes = tuple(scopes)
    of_tags = [scope.counter for scope in scopes if scope.tag in tags]
    of_family = [scope.counter for scope in scopes if scope.tag is None]
    return max(of_tags or of_family, default=0)


@dataclass(frozen=True, slots=True)
class _Read:
    scopes: Mapping[str, tuple[Scope, ...]] = field(default_factory=dict)
    tags: TagsRead = field(default_factory=TagsRead)


class SettingsInEffect:
    """The settings that hold, in memory: every answered frame asks.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self._read = _Read()

    async def load(self) -> None:
        """Read what holds now: at start, and often, for what other processes set.

        Raises:
            StorageError: the database does not answer.
        """
        self._read = await self._database.read(partial(_read, tags=self._read.tags, now=self._now()))

    def counter(self, device: Device) -> int:
        """The number of the settings that hold for a device; 0: none do."""
        scopes = self._read.scopes.get(device.family)
        if not scopes:
            return 0
        return counter_of(scopes, self._read.tags.of_devices.get(device.public_id, frozenset()))

    def target(self, device: Device) -> str | None:
        """The target path of the settings that hold for a device; None: none do."""
        counter = self.counter(device)
        return settings_path(device.family, counter) if counter else None


def _read(transaction: Transaction, tags: TagsRead, now: float) -> _Read:
    scopes: dict[str, tuple[Scope, ...]] = {}
    for row in rows.in_effect(transaction):
        scopes[row.family] = (*scopes.get(row.family, ()), Scope(row.counter, row.tag))
    wanted = frozenset(
        (family, scope.tag) for family, some in scopes.items() for scope in some if scope.tag is not None
    )
    if not tags.serve(wanted, now):
        tags = TagsRead(wanted, tags_of_families(transaction, wanted), now)
    return _Read(scopes, tags)
