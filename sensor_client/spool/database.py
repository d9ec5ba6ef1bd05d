"""The spool's SQLite file: its schema, its durability settings, and transactions on it."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from shared.errors import DctwireError

Connection: TypeAlias = sqlite3.Connection

SCHEMA_VERSION = 1

# AUTOINCREMENT: a sequence number is never given again, also when the frames before it are gone (SQLite keeps
# the highest in sqlite_sequence, in the same transaction as the insert).
SCHEMA = """
CREATE TABLE tables (tables_id TEXT PRIMARY KEY, stream BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE frames (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    captured_at_ms INTEGER NOT NULL,
    tables_id TEXT REFERENCES tables (tables_id),
    body BLOB NOT NULL,
    label TEXT
);
CREATE TABLE labels (sequence INTEGER PRIMARY KEY, label TEXT NOT NULL);
CREATE TABLE dead_letters (
    sequence INTEGER PRIMARY KEY,
    captured_at_ms INTEGER NOT NULL,
    status INTEGER NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

# Of a later date than the version: a file that has it not gets it, and a program that knows it not leaves it alone.
ADDED = """
CREATE TABLE IF NOT EXISTS unreadable (
    name TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    times INTEGER NOT NULL,
    last_at_ms INTEGER NOT NULL
) WITHOUT ROWID;
"""


class SpoolError(DctwireError):
    """The spool's file cannot be used: disk full, damaged, locked, or of another version."""


class NumbersExhaustedError(DctwireError):
    """A frame's number cannot be above this one."""

    def __init__(self, above: int) -> None:
        super().__init__(f"no device goes on counting above {above}")


class SpoolFullError(SpoolError):
    """The disk is full: nothing was changed, and there may be room later."""


class Database:
    """One connection that threads take turns on; foreign errors leave it as SpoolError."""

    def __init__(self, path: Path, first_sequence: int) -> None:
        """Open the file, or make it; a new one numbers its frames from `first_sequence`.

        Raises:
            SpoolError: it is not a spool, or of another version.
        """
        self._path = path
        self._turn = threading.Lock()
        try:
            self._connection = _connect(path)
        except sqlite3.Error as error:
            raise SpoolError(f"{path}: {error}") from error
        try:
            self._prepare(first_sequence)
        except BaseException:
            self._connection.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Do all of it or nothing; the changes are on disk when it returns.

        Raises:
            SpoolError: nothing of it was kept.
        """
        with self._turn, self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read without changing anything.

        Raises:
            SpoolError: the file cannot be read.
        """
        with self._turn, self._translated():
            yield self._connection

    def close(self) -> None:
        """Close the file."""
        with self._turn:
            self._connection.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL  # errors of the module have none
            raise (SpoolFullError if is_full else SpoolError)(f"{self._path}: {error}") from error

    def _prepare(self, first_sequence: int) -> None:
        with self.reading() as connection:
            version: int = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                start = f"INSERT INTO sqlite_sequence VALUES ('frames', {first_sequence - 1});"  # noqa: S608 - our number
                connection.executescript(f"BEGIN; {SCHEMA} {start} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        if version not in (0, SCHEMA_VERSION):
            raise SpoolError(f"{self._path}: spool version {version}, this program writes {SCHEMA_VERSION}")
        with self.reading() as connection:
            connection.executescript(ADDED)


def _connect(path: Path) -> Connection:
    connection = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # each commit is fsynced: a power cut loses nothing acked
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA journal_size_limit = 4194304")
    return connection
