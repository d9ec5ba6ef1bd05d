"""The TUF repositories in the database: read and written inside a transaction, with the online keys."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, partial

import structlog

from cloud_server.errors import (
    BelowFloorError,
    ConflictError,
    ConstraintError,
    NotFoundError,
    NotListedError,
    OnlineKeyMissingError,
)
from cloud_server.registry.server_keys import ServerKeys
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import tuf_files as rows
from cloud_server.storage.witness import Witness
from shared.bundle import Bundle, Fallback
from shared.trust import (
    Change,
    Repository,
    RootFacts,
    Shown,
    TrustError,
    floor_of,
    newest_root,
    parse_targets,
    require_current_root,
    require_follows,
    root_file_of,
    timestamp_file,
    verified_targets,
)

FAMILIES_A_ROUND = 20
RETRY_SECONDS = 3600.0
OLD_TARGETS = "old.targets.json"
"""What was signed while all families shared one repository; a revision of the database's schema keeps it there."""
_log = structlog.get_logger()


class SignedFiles:
    """The rules of `Repository` on the table of files.

    Args:
        now: seconds since 1970.

    Attributes:
        expiries: by role (snapshot and timestamp are one, `online`), as `look` found them last.
        missing_keys: the online keys that the newest root names and this process lacks, as `look` found out last.
    """

    def __init__(self, database: Database, keys: ServerKeys, now: Callable[[], float]) -> None:
        self._database = database
        self._keys = keys
        self._now = now
        self.expiries: dict[str, float] = {}
        self.missing_keys: tuple[str, ...] = ()

    async def look(self) -> None:
        """Find out when the first of what each role signed expires, in seconds since 1970, and which keys are missing.

        Raises:
            StorageError: the database does not answer.
        """
        online, targets = await self._database.read(rows.first_expiry)
        root, self.missing_keys = await self._database.read(self._root_and_missing_keys)
        first = {"root": RootFacts.of(root).expires.timestamp(), "targets": targets, "online": online}
        self.expiries = {role: moment for role, moment in first.items() if moment is not None}

    async def initialise(self) -> None:
        """Lay out the root in a new database, and check the one that an older database holds.

        Raises:
            TrustError: the database was set up with another root, or the keys are neither the newest root's nor those
                of the root that lies beside them.
            StorageError: the database does not answer.
        """
        with suppress(ConstraintError):  # another process was faster
            await self._database.write(self._lay_out_root)
        await self._database.read(self._require_own)

    async def root(self) -> bytes:
        """The newest root.

        Raises:
            StorageError: the database does not answer.
        """
        return await self._database.read(self._newest_root)

    async def add_root(self, offered: bytes, witness: Witness) -> None:
        """Publish the root that follows the newest; every family's snapshot and timestamp are then signed anew.

        Raises:
            TrustError: it is not signed as both roots say, it is expired or dated ahead, or it would make devices
                disbelieve a family's current targets.
            OnlineKeyMissingError: no key of ours is among its online keys.
            ConflictError: another one was published meanwhile.
            StorageError: the database does not answer.
        """
        current = await self.root()
        if offered == current:
            return
        require_follows(current, offered)
        require_current_root(offered, self.moment())
        self._keys.require_signers(offered)
        for row in await self._database.read(rows.every_family):
            await self._database.read(partial(self._require_believed, family=row.family, root=offered))
        try:
            await self._database.write(partial(self._add_root, offered=offered, witness=witness))
        except ConstraintError as error:
            raise ConflictError("another root was published meanwhile; fetch it and sign again") from error
        _log.info("root-published", version=RootFacts.of(offered).version)

    async def families(self) -> Sequence[rows.TufFamilyRow]:
        """Every family that has a repository.

        Raises:
            StorageError: the database does not answer.
        """
        return await self._database.read(rows.every_family)

    async def targets(self, family: str) -> bytes:
        """A family's current targets metadata; before its first publication, what was signed for all families at once.

        Raises:
            NotFoundError: there are none.
            TrustError: a file is damaged.
            StorageError: the database does not answer.
        """
        found = await self._database.read(lambda transaction: self.shown(transaction, family).targets())
        found = found or await self._database.read(partial(rows.read_file, name=OLD_TARGETS))
        if found is None:
            raise NotFoundError(f"nothing is published for family {family[:63]} yet")
        return found

    async def listed(self) -> frozenset[str]:
        """The target paths that the families' current targets metadata list.

        Raises:
            StorageError: the database does not answer.
        """
        return await self._database.read(rows.listed)

    async def floors(self) -> Mapping[str, int]:
        """The floor of each family, as its current targets metadata say it.

        Raises:
            StorageError: the database does not answer.
        """
        return await self._database.read(rows.floors)

    def listed_of(self, transaction: Transaction, family: str, *, or_old: bool = False) -> frozenset[str]:
        """The target paths that a family's current targets metadata list.

        Args:
            or_old: before its first publication, those of the family that were signed for all families at once.

        Raises:
            TrustError: a file of the family's repository is damaged.
        """
        current = self.shown(transaction, family).targets()
        if current is None and or_old:
            current = rows.read_file(transaction, OLD_TARGETS)
        listed = () if current is None else parse_targets(current).signed.targets
        return frozenset(path for path in listed if path.startswith(f"{family}/"))

    def require_listed(self, transaction: Transaction, published: Bundle | Fallback) -> None:
        """Whether a bundle or a fallback is signed now; that stays so until the transaction has ended.

        Raises:
            NotListedError: its family's current targets metadata do not list it, or are damaged.
            BelowFloorError: they say a floor above a bundle.
        """
        listed, floor = self.locked_list(transaction, published.family)
        if isinstance(published, Bundle) and published.counter < floor:
            raise BelowFloorError(
                f"{published.name} is below the floor {floor} of its family's list; no device takes it"
            )
        if published.target_path not in listed:
            raise NotListedError(published.name)

    def locked_list(self, transaction: Transaction, family: str) -> tuple[frozenset[str], int]:
        """The target paths that a family's current targets metadata list, and its floor; nothing where it is damaged.

        Both stay so until the transaction has ended.
        """
        rows.lock_family(transaction, family)
        try:
            return self._listed_and_floor(transaction, family)
        except TrustError as error:
            _log.error("targets-unreadable", family=family, cause=str(error))
            return frozenset(), 0

    async def refresh(self) -> None:
        """Sign snapshots and timestamps anew where half of their life is over, of so many families at a time.

        Raises:
            OnlineKeyMissingError: a key is missing here; nothing is put off, so that whoever has it signs at once.
            StorageError: the database does not answer.
        """
        due = partial(rows.families_due, now=self._now(), limit=FAMILIES_A_ROUND)
        for family in await self._database.read(due):
            is_done = False
            try:
                is_done = await self.refresh_family(family)
            except TrustError as error:
                _log.error("timestamp-not-refreshed", family=family, cause=str(error))
            if not is_done:  # others come first the next time
                later = partial(rows.renew_at, family=family, moment=self._now() + RETRY_SECONDS)
                await self._database.write(later)

    async def refresh_family(self, family: str) -> bool:
        """Sign a family's snapshot and timestamp anew where it is time; says whether it was.

        Raises:
            TrustError: one of the family's files is damaged.
            OnlineKeyMissingError: a key is missing here.
            StorageError: the database does not answer.
        """
        with suppress(ConstraintError):  # another process was faster
            if await self._database.write(partial(self._refresh, family=family)):
                _log.info("timestamp-refreshed", family=family)
                return True
        return False

    def moment(self) -> datetime:
        """The time against which metadata is held, and with which it is signed."""
        return datetime.fromtimestamp(self._now(), UTC)

    def repository(self, transaction: Transaction, family: str) -> Repository:
        """A family's repository as it is now, with its keys; each file is read once: all answers are of one state.

        On PostgreSQL each statement sees what others have committed before it. One reading of the timestamp is one
        state of everything, since the files that it leads to never change. Whoever builds on a state on which somebody
        else has built meanwhile finds another timestamp there, and changes nothing.
        """
        return self._keys.repository(cache(partial(rows.read_file, transaction)), family)

    def shown(self, transaction: Transaction, family: str) -> Shown:
        """What a family shows now, as `repository` reads it; it takes no keys."""
        return Shown(cache(partial(rows.read_file, transaction)), family)

    def _root_and_missing_keys(self, transaction: Transaction) -> tuple[bytes, tuple[str, ...]]:
        root = self._newest_root(transaction)
        return root, self._keys.missing(root)

    def _listed_and_floor(self, transaction: Transaction, family: str) -> tuple[frozenset[str], int]:
        current = self.shown(transaction, family).targets()
        if current is None:
            return frozenset(), 0
        targets = parse_targets(current).signed
        return frozenset(targets.targets), floor_of(targets)

    def _newest_root(self, transaction: Transaction) -> bytes:
        return newest_root(self._keys.root, partial(rows.read_file, transaction))

    def _require_believed(self, transaction: Transaction, family: str, root: bytes) -> None:
        targets = self.shown(transaction, family).targets()
        if targets is not None:
            try:
                verified_targets(root, targets, family)
            except TrustError as error:
                raise TrustError(f"with this root nobody would believe the targets of {family}: {error}") from error

    def _add_root(self, transaction: Transaction, offered: bytes, witness: Witness) -> None:
        version = RootFacts.of(offered).version
        witness(transaction, {"version": version - 1}, {"version": version})
        rows.add_file(transaction, root_file_of(offered), offered)
        rows.expire_online(transaction, self._now())

    def _lay_out_root(self, transaction: Transaction) -> None:
        name = root_file_of(self._keys.root)
        if rows.read_file(transaction, name) is None:
            rows.add_file(transaction, name, self._keys.root)

    def _require_own(self, transaction: Transaction) -> None:
        if rows.read_file(transaction, root_file_of(self._keys.root)) != self._keys.root:
            raise TrustError(f"the database was set up with another root than {self._keys.folder / 'root.json'}")
        if self._keys.missing(self._newest_root(transaction)):
            try:
                self._keys.require_signers(self._keys.root)
            except OnlineKeyMissingError as error:
                raise TrustError(str(error)) from error

    def _refresh(self, transaction: Transaction, family: str) -> bool:
        found = rows.read_timestamp(transaction, family, timestamp_file(family))
        is_expired = found is not None and found[1] <= self._now()  # or a new root said so: `expire_online`
        change = self.repository(transaction, family).refresh(self.moment(), is_forced=is_expired)
        if change is not None:
            show(transaction, family, change)
        return change is not None


def show(transaction: Transaction, family: str, change: Change) -> None:
    """Make a change visible to devices as part of a transaction, and remove what neither it nor the last state needs.

    Raises:
        ConstraintError, IntegrityError: somebody else made a change from the same state.
    """
    row = rows.TufFamilyRow(
        family=family,
        timestamp_version=change.version,
        renew_at=change.renew_at.timestamp(),
        expires_at=change.expires_at.timestamp(),
        targets_expire_at=change.targets_expire_at.timestamp(),
        listed="\n".join(change.listed),
        floor=change.floor,
    )
    rows.change_family(transaction, row, change.follows, change.files, timestamp_file(family))
    rows.remove_others(transaction, family, change.kept)
