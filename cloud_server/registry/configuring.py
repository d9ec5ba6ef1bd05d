"""The use cases `set` and `remove`: which settings from afar hold for a family's devices, or for those with a tag.

Settings are signed like bundles and listed beside them, and hold as soon as they are listed: each takes the place of
those that held for the same devices before. Removing needs no signature, for devices then do as their own
configuration says; the entry goes from the list with the next signature.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from cloud_server.errors import ConflictError, NotFoundError
from cloud_server.fleet.settings_in_effect import SettingsInEffect
from cloud_server.registry.publish_checks import require_entry
from cloud_server.registry.publishing import Addition, Publishing
from cloud_server.registry.signed_files import SignedFiles
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import device_settings as rows
from cloud_server.storage.rows.tuf_files import lock_family
from cloud_server.storage.witness import Facts, Witness
from shared.bundle import DeviceSettings

SCOPES_MAX = 16
"""For so many tags of a family, the family itself counted, settings may hold: a list has room for 64 entries."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Held:
    """Settings that hold, since when (seconds since 1970), and whether the signed list names them."""

    settings: DeviceSettings
    set_at: float
    is_listed: bool


class Configuring:
    """Sets and removes settings; other processes follow within two seconds.

    Args:
        now: seconds since 1970.
    """

    def __init__(
        self,
        *,
        database: Database,
        publishing: Publishing,
        signed_files: SignedFiles,
        in_effect: SettingsInEffect,
        now: Callable[[], float],
    ) -> None:
        self._database = database
        self._publishing = publishing
        self._signed_files = signed_files
        self._in_effect = in_effect
        self._now = now

    async def set(self, settings: DeviceSettings, data: bytes, targets: bytes, witness: Witness) -> None:
        """Have settings hold, in the place of those of the same tag or family.

        Args:
            data: their canonical bytes.
            targets: the current targets metadata with them added, signed by the targets keys.

        Raises:
            TrustError: the metadata do not verify, or list something else.
            ConflictError: the number is taken, others have published meanwhile, or for as many tags as may be
                settings hold.
            NotFoundError: nothing is published for the family.
            BelowFloorError: the metadata raise the floor above what is assigned.
            StorageError: the database does not answer.
        """
        require_entry(targets, settings.target_path, data, settings.target_custom)
        if await self._database.read(partial(self._is_done, settings=settings, data=data, targets=targets)):
            return
        row = rows.SettingsRow(settings.family, settings.counter, settings.tag, data, self._now())
        added = Addition(settings.target_path, data, partial(self._record, row=row, witness=witness))
        await self._publishing.renew(settings.family, targets, _unwitnessed, added=added)
        await self._in_effect.load()
        _log.info("settings-set", name=settings.target_path, tag=settings.tag)

    async def remove(self, family: str, tag: str | None, witness: Witness) -> int | None:
        """Have no settings of a tag, or of the family as a whole, hold; returns the number of those that did.

        Raises:
            StorageError: the database does not answer.
        """

        ended = await self._database.write(partial(_end, family=family, tag=tag, now=self._now(), witness=witness))
        await self._in_effect.load()
        _log.info("settings-removed", family=family, tag=tag)
        return None if ended is None else ended.counter

    async def held(self, family: str | None) -> Sequence[Held]:
        """What holds, of one family or of all, by family and counter.

        Raises:
            StorageError: the database does not answer.
        """
        found = await self._database.read(partial(rows.in_effect, family=family))
        listed = await self._signed_files.listed()
        every = [(DeviceSettings.from_bytes(row.data), row.set_at) for row in found]
        return [Held(settings, set_at, settings.target_path in listed) for settings, set_at in every]

    async def highest(self, family: str) -> int:
        """The highest number that settings of a family ever had; 0 before the first.

        Raises:
            StorageError: the database does not answer.
        """
        return await self._database.read(partial(rows.highest, family=family))

    def _is_done(self, transaction: Transaction, settings: DeviceSettings, data: bytes, targets: bytes) -> bool:
        """Whether exactly this was done already: whoever did not hear the answer asks again."""
        row = rows.find(transaction, settings.family, settings.counter)
        current = self._signed_files.shown(transaction, settings.family).targets()
        if current is None:
            raise NotFoundError(f"nothing is published for family {settings.family} yet: publish a bundle first")
        return row is not None and row.data == data and current == targets

    def _record(self, transaction: Transaction, row: rows.SettingsRow, witness: Witness) -> None:
        highest = rows.highest(transaction, row.family)
        if row.counter <= highest:
            raise ConflictError(
                f"settings {highest} of {row.family} were set meanwhile; number these anew and sign again"
            )
        before = rows.end(transaction, row.family, row.tag, row.set_at)
        held = rows.in_effect(transaction, row.family)
        if len(held) >= SCOPES_MAX:
            tags = ", ".join(one.tag or "the family itself" for one in held)
            raise ConflictError(
                f"settings of {row.family} hold for {SCOPES_MAX} tags already ({tags}), and that is all that may be; "
                "remove some: dctwire settings remove"
            )
        rows.add(transaction, row)
        witness(transaction, _shown(before), _shown(row))


def _end(
    transaction: Transaction, family: str, tag: str | None, now: float, witness: Witness
) -> rows.SettingsRow | None:
    lock_family(transaction, family)
    ended = rows.end(transaction, family, tag, now)
    witness(transaction, _shown(ended), None)
    return ended


def _shown(row: rows.SettingsRow | None) -> Facts | None:
    if row is None:
        return None
    return {"counter": row.counter, "tag": row.tag, "sha256": hashlib.sha256(row.data).hexdigest()}


def _unwitnessed(_transaction: Transaction, _before: Facts | None, _after: Facts | None) -> None:
    """The change itself is witnessed where it is recorded."""
