"""The TUF repository in the database: its files, read and written inside a transaction, and its online keys."""

from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, insert, select, update

from cloud_server.storage.schema import tuf_files
from shared.trust import TIMESTAMP_FILE, Files, Read, Repository, Role, TrustError, load_key, parse_targets


class SignedFiles:
    """The rules of `Repository` on the table of files."""

    def __init__(self, keys: Path) -> None:
        """Read what `dctwire trust init` made for the server: online keys, and what was signed offline first.

        Raises:
            TrustError: a file is missing or damaged, or the keys are not root's.
        """
        self._keys = keys
        self._snapshot_signer, self._timestamp_signer = load_key(keys, Role.SNAPSHOT), load_key(keys, Role.TIMESTAMP)
        try:
            self._root, self._targets = (keys / "root.json").read_bytes(), (keys / "targets.json").read_bytes()
        except OSError as error:
            raise TrustError(f"{error.filename}: {error.strerror}") from error
        self._repository(lambda _name: None).require_keys_of(self._root)

    def repository(self, connection: Connection) -> Repository:
        """The repository as this transaction sees it."""
        return self._repository(partial(read_file, connection))

    def initialise(self, connection: Connection, now: datetime) -> None:
        """Lay out version 1 of everything where nothing is yet."""
        repository = self.repository(connection)
        if not repository.is_initialised:
            write_files(connection, repository.initialise(self._root, self._targets, now))

    def require_own(self, connection: Connection) -> None:
        """Whether the database was set up with the same keys, and leads from its timestamp to its targets.

        Raises:
            TrustError: it was not, or does not.
        """
        repository = self.repository(connection)
        parse_targets(repository.targets())
        if repository.root() != self._root:
            raise TrustError(f"the database was set up with another root than {self._keys / 'root.json'}")

    def refresh(self, connection: Connection, now: datetime) -> bool:
        """Sign snapshot and timestamp again when it is time; says whether it was."""
        files = self.repository(connection).refresh(now)
        write_files(connection, files)
        return bool(files)

    def _repository(self, read: Read) -> Repository:
        return Repository(read, snapshot_signer=self._snapshot_signer, timestamp_signer=self._timestamp_signer)


def read_file(connection: Connection, name: str) -> bytes | None:
    """One file, by the name under which devices fetch it; None when there is none."""
    return connection.execute(select(tuf_files.c.data).where(tuf_files.c.name == name)).scalar_one_or_none()


def write_files(connection: Connection, files: Files) -> None:
    """Add files, and replace the timestamp.

    Raises:
        IntegrityError: one of the new files is there already: somebody else made a change from the same state.
    """
    for name, data in files.items():
        is_there = name == TIMESTAMP_FILE and read_file(connection, name) is not None
        if is_there:
            connection.execute(update(tuf_files).where(tuf_files.c.name == name).values(data=data))
        else:
            connection.execute(insert(tuf_files), {"name": name, "data": data})
