"""The spool's SQLite file: its durability settings, transactions on it, and what is done where it is damaged."""

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias, TypeVar
from urllib.parse import quote

from sensor_client.spool.reserve import Reserve
from sensor_client.spool.schema import ADDED, SCHEMA_VERSION, add_what_is_new, make_schema
from shared import durable
from shared.errors import DctwireError

Connection: TypeAlias = sqlite3.Connection
T = TypeVar("T")

VERSION_PLAUSIBLE_MAX = 99
"""What says that it is of a later version is damaged."""
LOG_MAX_PAGES = 256
"""The log is moved into the file when it has so many pages: the file may grow by as much, which the reserve is for."""
RESERVE_BYTES = 2 * 1024 * 1024
"""Twice that: for the log's pages, and for what lets some frames go."""
CHECKED_MAX_BYTES = 8 * 1024 * 1024
"""A larger file is not read as a whole at the start, which has to be quick: its damage is found when it is met."""
NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
"""A write-ahead log has an index beside it, of 32 KiB at least: on a full disk that is what cannot be made."""

UNREADABLE = (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ)
"""The disk gives back what was written to it no more."""


class SpoolError(DctwireError):
    """The spool's file cannot be used: disk full, damaged, locked, or of another version."""


class NumbersExhaustedError(DctwireError):
    """A frame's number cannot be above this one."""

    def __init__(self, above: int) -> None:
        super().__init__(f"no device goes on counting above {above}")


class NotTooFarError(DctwireError):
    """No number that was given is too high for a server that has this one."""

    def __init__(self, given: int, above: int) -> None:
        super().__init__(f"{given} is not too high above {above}")


class NoSpoolError(SpoolError):
    """There is no spool to read yet."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: there is no spool yet")


class SpoolFullError(SpoolError):
    """The disk is full: nothing was changed, and there may be room later."""


class SpoolDamagedError(SpoolError):
    """The file is damaged."""


Mend: TypeAlias = Callable[[SpoolDamagedError], None]


class Database:
    """One connection that threads take turns on; foreign errors leave it as SpoolError.

    Damage is mended when it is met at opening. Later, who meets it gets the error, and the next one mends it.
    """

    def __init__(
        self, path: Path, first_sequence: int | None, mend: Mend | None = None, reserve: Reserve | None = None
    ) -> None:
        """Open the file, or make it; a new one numbers its frames from `first_sequence`. With None it is only read.

        Args:
            mend: puts a spool there that is not damaged; None: damage is told, and stays.
            reserve: room with which the file is opened, mended and made smaller while the disk is full.

        Raises:
            NoSpoolError: it is only to be read, and is not made yet.
            SpoolFullError: the disk has no room to work with it now.
            SpoolDamagedError: it is damaged or no spool at all, and was not mended.
            SpoolError: it cannot be opened, or is of another version.
        """
        self._path = path
        self._first_sequence = first_sequence
        self._mend = mend
        self._reserve = reserve
        self._turn = threading.Lock()
        self._damage: SpoolDamagedError | None = None
        self._connection: Connection | None = None
        try:
            self._require_open_whatever_room()
        except SpoolDamagedError:
            if mend is None:
                raise
            self._require_open_whatever_room()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Do all of it or nothing; the changes are on disk when it returns.

        Raises:
            SpoolFullError: there is no room for it, or none but the reserve; nothing of it was kept.
            SpoolError: nothing of it was kept.
        """
        with self._turn:
            connection = self._require_open()
            if self._reserve is not None and not self._reserve.make():
                raise SpoolFullError(f"{self._path}: the disk has no room but for letting frames go")
            with self._transaction_of(connection):
                yield connection

    def let_go(self, change: Callable[[Connection], T]) -> T:
        """Do in one transaction what only frees room: it may use the reserve.

        Raises:
            SpoolError: nothing of it was kept.
        """
        with self._turn:
            connection = self._require_open_whatever_room()
            try:
                with self._transaction_of(connection):
                    return change(connection)
            except SpoolFullError:
                if self._reserve is None:
                    raise
            self._reserve.give_up()
            try:
                with self._transaction_of(connection):
                    done = change(connection)
                with contextlib.suppress(sqlite3.Error):  # its log needs the room no more
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                return done
            finally:
                self._reserve.make()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read without changing anything.

        Raises:
            SpoolError: the file cannot be read.
        """
        with self._turn:
            connection = self._require_open()
            with self._translated():
                yield connection

    def close(self) -> None:
        """Close the file. Damage that was met and not mended yet is mended before: the next start may not look."""
        with self._turn:
            if self._damage is not None and self._mend is not None:
                with contextlib.suppress(SpoolError):
                    self._require_open()
            self._close()

    @contextmanager
    def _transaction_of(self, connection: Connection) -> Iterator[None]:
        with self._translated():
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    with contextlib.suppress(sqlite3.Error):  # what went wrong before is to be told
                        connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SpoolDamagedError as error:
            self._damage = error
            raise
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", None)  # errors of the module have none
            if is_damage(error):
                self._damage = SpoolDamagedError(f"{self._path}: {error}")
                raise self._damage from error
            raise (SpoolFullError if code in NO_ROOM else SpoolError)(f"{self._path}: {error}") from error

    def _require_open(self) -> Connection:
        """The connection; where damage was met, to what was put in the file's place."""
        if self._connection is not None and (self._damage is None or self._mend is None):
            return self._connection
        with _opening_alone(self._path), self._translated():
            self._close()
            if self._damage is not None and self._mend is not None:
                if self._reserve is not None:
                    self._reserve.give_up()
                self._mend(self._damage)
                self._damage = None
            self._connection = self._opened()
        return self._connection

    def _require_open_whatever_room(self) -> Connection:
        """The same, also on a full disk."""
        try:
            return self._require_open()
        except SpoolFullError:
            if self._reserve is None:
                raise
        self._reserve.give_up()
        try:
            return self._require_open()
        finally:
            self._reserve.make()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _opened(self) -> Connection:
        if self._first_sequence is None:
            connection = _connect_to_read(self._path)
        else:
            was_left_open = self._require_files()
            connection = connect(self._path)
        try:
            if self._first_sequence is None:
                self._require_made(connection)
            else:
                _turn_on_durability(connection)
                self._prepare(connection, self._first_sequence)
                if was_left_open and self._path.stat().st_size <= CHECKED_MAX_BYTES:
                    _check(connection, self._path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _require_files(self) -> bool:
        """Make the file for its owner only, and clear the way for those beside it; whether it was left open."""
        log = self._path.with_name(f"{self._path.name}-wal")
        for beside in (log, self._path.with_name(f"{self._path.name}-shm")):
            durable.make_way(beside)
        if not self._path.is_file():
            if self._path.exists() or self._path.is_symlink():
                raise SpoolDamagedError(f"{self._path} is not a file")
            self._path.touch(mode=0o600)
        return log.exists()

    def _prepare(self, connection: Connection, first_sequence: int) -> None:
        connection.execute("BEGIN IMMEDIATE")
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != 0:
            self._require_version(version)
        elif connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            raise SpoolDamagedError(f"{self._path}: its header is damaged")
        else:
            make_schema(connection)
            connection.execute("INSERT INTO sqlite_sequence VALUES ('frames', ?)", (first_sequence - 1,))
        add_what_is_new(connection)
        connection.execute("COMMIT")

    def _require_made(self, connection: Connection) -> None:
        """Refuse what another program is only just making; what an earlier one left may lack what was added."""
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            raise NoSpoolError(self._path)
        self._require_version(version)
        there = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
        for statement in ADDED:
            if not any(f" {name} (" in statement for name in there):
                connection.execute(statement.replace("TABLE", "TEMP TABLE"))

    def _require_version(self, version: int) -> None:
        if not 0 < version <= VERSION_PLAUSIBLE_MAX:
            raise SpoolDamagedError(f"{self._path}: its header is damaged")
        if version != SCHEMA_VERSION:
            raise SpoolError(f"{self._path}: spool version {version}, this program writes {SCHEMA_VERSION}")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether it is the file that is damaged, or the disk where it lies."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # text that is none: the module says so in words only
        return isinstance(error, sqlite3.OperationalError) and str(error).startswith("Could not decode")
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or code in UNREADABLE


def connect(path: Path, only: str = "") -> Connection:
    """A connection in which nothing begins a transaction by itself."""
    address = f"file:{quote(str(path.absolute()))}{only}"
    return sqlite3.connect(address, uri=True, timeout=10.0, isolation_level=None, check_same_thread=False)


@contextmanager
def _opening_alone(path: Path) -> Iterator[None]:
    """One program at a time: another one may open the file at the moment when the first `run` makes it.

    SQLite itself does not wait for another one that turns on WAL.
    """
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise SpoolError(f"{path}: {error}") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _connect_to_read(path: Path) -> Connection:
    """Without a log beside it nobody is at work in the file: then not even the log's index is made to read it."""
    if not path.is_file() or path.stat().st_size == 0:
        raise NoSpoolError(path)
    is_at_rest = not path.with_name(f"{path.name}-wal").exists()
    return connect(path, "?immutable=1" if is_at_rest else "?mode=ro")


def _turn_on_durability(connection: Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # each commit is fsynced: a power cut loses nothing acked
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA journal_size_limit = 4194304")
    connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_MAX_PAGES}")


def _check(connection: Connection, path: Path) -> None:
    """Look for damage in a file that was left open.

    Raises:
        SpoolDamagedError: there is some.
    """
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise SpoolDamagedError(f"{path}: {found}")
