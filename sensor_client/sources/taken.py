"""Which files of a watched folder were taken: a record in the state directory, of 16 bytes a file.

A file is known by a hash of its path, and a hash of what changes when it is written anew: its inode, size and time.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Self

from sensor_client.logs import get_logger
from shared import durable

LIMIT_FILES = 200_000
ENTRY_BYTES = 16
SPARE_ENTRIES = 1000

_log = get_logger(__name__)


@dataclass(frozen=True)
class FileKey:
    """A file as it was at one moment."""

    path: int
    stamp: int

    @classmethod
    def of(cls, relative: str, stat: os.stat_result) -> Self:
        """The key of a file by its path below the folder."""
        return cls(path_hash(relative), _hash(f"{stat.st_ino} {stat.st_size} {stat.st_mtime_ns}".encode()))


def path_hash(relative: str) -> int:
    """64 bits that stand for a path."""
    return _hash(os.fsencode(relative))


class TakenFiles:
    """Remembers at most `limit_files` files; beyond them, the half of which it has heard least lately is forgotten.

    What a disk does not take is remembered until the program ends.
    """

    def __init__(self, file: Path, limit_files: int = LIMIT_FILES) -> None:
        """Read the record; of one that is damaged, what is whole."""
        self._file = file
        self._limit_files = limit_files
        self._stamps: dict[int, int] = {}
        self._entries = 0
        self._writes = True
        self._read()

    def __len__(self) -> int:
        return len(self._stamps)

    def knows_path(self, path: int) -> bool:
        """Whether a file of this path was taken, whatever it held then."""
        return path in self._stamps

    def has(self, key: FileKey) -> bool:
        """Whether this file was taken, and has not been written anew since."""
        return self._stamps.get(key.path) == key.stamp

    def add(self, key: FileKey) -> None:
        """Remember a file, on disk before this returns."""
        self._stamps.pop(key.path, None)
        self._stamps[key.path] = key.stamp
        if len(self._stamps) > self._limit_files:
            for path in list(self._stamps)[: self._limit_files // 2]:
                del self._stamps[path]
            self._try(self._rewrite)
        elif self._entries >= _most_entries(len(self._stamps)):
            self._try(self._rewrite)
        else:
            self._try(lambda: self._append(key))

    def add_for_now(self, key: FileKey) -> None:
        """Remember a file until the program ends."""
        self._stamps[key.path] = key.stamp

    def _read(self) -> None:
        try:
            with self._file.open("rb") as file:
                content = file.read(ENTRY_BYTES * _most_entries(self._limit_files))
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            _log.error("taken-files-unreadable", reason=str(error))
            return
        for start in range(0, len(content) - ENTRY_BYTES + 1, ENTRY_BYTES):
            path = int.from_bytes(content[start : start + 8])
            self._stamps.pop(path, None)
            self._stamps[path] = int.from_bytes(content[start + 8 : start + ENTRY_BYTES])
        self._entries = len(content) // ENTRY_BYTES
        if len(content) != ENTRY_BYTES * len(self._stamps):  # a torn end, or files that were taken more than once
            self._try(self._rewrite)

    def _append(self, key: FileKey) -> None:
        durable.make_directory(self._file.parent)
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            whole = os.fstat(descriptor).st_size // ENTRY_BYTES * ENTRY_BYTES
            os.ftruncate(descriptor, whole)  # half an entry, which a full disk left
            os.write(descriptor, _entry(key.path, key.stamp))
            os.fdatasync(descriptor)
            self._entries += 1
        finally:
            os.close(descriptor)

    def _rewrite(self) -> None:
        durable.make_directory(self._file.parent)
        durable.write_file(self._file, b"".join(_entry(*item) for item in self._stamps.items()), mode=0o600)
        self._entries = len(self._stamps)

    def _try(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            if self._writes:
                _log.error("taken-files-not-written", reason=str(error))
            self._writes = False
        else:
            self._writes = True


def _most_entries(files: int) -> int:
    """So many entries may there be for so many files, before the record is written anew."""
    return 2 * files + SPARE_ENTRIES


def _entry(path: int, stamp: int) -> bytes:
    return path.to_bytes(8) + stamp.to_bytes(8)


def _hash(content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=8).digest())
