"""The TUF repository in the database: its files, read and written inside a transaction, and its online keys."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

import structlog

from cloud_server.errors import ConstraintError
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows.tuf_files import read_file, write_files
from shared.trust import TIMESTAMP_FILE, Files, Read, Repository, Role, Signer, TrustError, load_key, parse_targets

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """What `dctwire trust init` made for the server: the online keys, and what was signed offline first."""

    folder: Path
    snapshot: Signer
    timestamp: Signer
    root: bytes
    targets: bytes

    @classmethod
    def read(cls, folder: Path) -> "ServerKeys":
        """Read the keys' folder.

        Raises:
            TrustError: a file is missing or damaged, or the keys are not root's.
        """
        snapshot, timestamp = load_key(folder, Role.SNAPSHOT), load_key(folder, Role.TIMESTAMP)
        try:
            root, targets = (folder / "root.json").read_bytes(), (folder / "targets.json").read_bytes()
        except OSError as error:
            raise TrustError(f"{error.filename}: {error.strerror}") from error
        keys = cls(folder, snapshot, timestamp, root, targets)
        keys.repository(lambda _name: None).require_keys_of(root)
        return keys

    def repository(self, read: Read) -> Repository:
        """The repository of these keys, on the files that `read` gives."""
        return Repository(read, snapshot_signer=self.snapshot, timestamp_signer=self.timestamp)


class SignedFiles:
    """The rules of `Repository` on the table of files.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, database: Database, keys: ServerKeys, now: Callable[[], float]) -> None:
        self._database = database
        self._keys = keys
        self._now = now

    async def initialise(self) -> None:
        """Lay out version 1 of everything in a new database, and check what an older one holds.

        Raises:
            TrustError: the database's files are damaged, or were signed for other keys.
            StorageError: the database does not answer.
        """
        with suppress(ConstraintError):  # another process was faster
            await self._database.write(self._initialise)
        await self._database.read(self._require_own)

    async def targets(self) -> bytes:
        """The current targets metadata.

        Raises:
            StorageError: the database does not answer.
        """
        return await self._database.read(lambda transaction: self.repository(transaction).targets())

    async def refresh(self) -> None:
        """Sign snapshot and timestamp again when half of their life is over.

        Raises:
            StorageError: the database does not answer.
        """
        with suppress(ConstraintError):  # another process was faster
            if await self._database.write(self._refresh):
                _log.info("timestamp-refreshed")

    def moment(self) -> datetime:
        """The time against which metadata is held, and with which it is signed."""
        return datetime.fromtimestamp(self._now(), UTC)

    def repository(self, transaction: Transaction) -> Repository:
        """The repository as it is now; each file is read once, so that two questions have answers of one state.

        On PostgreSQL each statement sees what others have committed before it. One reading of the timestamp is one
        state of everything, since the files that it leads to never change. Whoever builds on a state on which somebody
        else has built meanwhile finds the names of its new files taken.
        """
        return self._keys.repository(cache(partial(read_file, transaction)))

    def _initialise(self, transaction: Transaction) -> None:
        repository = self.repository(transaction)
        if not repository.is_initialised:
            show(transaction, repository.initialise(self._keys.root, self._keys.targets, self.moment()))

    def _require_own(self, transaction: Transaction) -> None:
        repository = self.repository(transaction)
        parse_targets(repository.targets())
        if repository.root() != self._keys.root:
            raise TrustError(f"the database was set up with another root than {self._keys.folder / 'root.json'}")

    def _refresh(self, transaction: Transaction) -> bool:
        files = self.repository(transaction).refresh(self.moment())
        show(transaction, files)
        return bool(files)


def show(transaction: Transaction, files: Files) -> None:
    """Make files visible to devices as part of a transaction: the timestamp is replaced, every other file is new.

    Raises:
        IntegrityError: one of the new files is there: somebody else made a change from the same state. `Database`
            makes it a ConstraintError.
    """
    write_files(transaction, files, replaced=TIMESTAMP_FILE)
