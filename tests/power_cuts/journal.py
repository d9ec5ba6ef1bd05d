"""What a program did to the files of a folder, as `disk_journal.c` wrote it down."""

import os
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("disk_journal.c")
_HEAD = struct.Struct("=IIQq")


class Kind(IntEnum):
    """What was done."""

    CREATE = 1
    WRITE = 2
    TRUNCATE = 3
    SYNC = 4
    RENAME = 5
    UNLINK = 6
    MKDIR = 7
    RMDIR = 8
    SYMLINK = 9
    SYNC_FOLDER = 10
    LINK = 11


@dataclass(frozen=True, slots=True)
class Step:
    """One note.

    Args:
        file: the inode, where it is about a file's bytes.
        offset: of a write; the length of a truncation; the mode of what is made.
        payload: the bytes written, or the path, or two paths with a zero between them.
    """

    kind: Kind
    file: int
    offset: int
    payload: bytes

    @property
    def path(self) -> str:
        """The only path, or the last one."""
        return self.payload.rpartition(b"\0")[2].decode()

    @property
    def first(self) -> str:
        """The first of two: what was renamed, or what a link leads to."""
        return self.payload.partition(b"\0")[0].decode()


def read_steps(journal: Path) -> Iterator[Step]:
    """All notes in order; what a kill cut off at the end is none."""
    data = journal.read_bytes() if journal.exists() else b""
    at = 0
    while at + _HEAD.size <= len(data):
        kind, payload_bytes, file, offset = _HEAD.unpack_from(data, at)
        at += _HEAD.size + payload_bytes
        if at <= len(data):
            yield Step(Kind(kind), file, offset, data[at - payload_bytes : at])


def build_shim(folder: Path) -> Path:
    """Compile the shim into a folder."""
    library = folder / "disk_journal.so"
    words = ("gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")
    subprocess.run([*words, "-o", str(library), str(SOURCE)], check=True)
    return library


def noting(shim: Path, root: Path, journal: Path) -> dict[str, str]:
    """The environment of a program whose doings below `root` are to be noted, after what the journal holds already."""
    return {"LD_PRELOAD": str(shim), "DISK_JOURNAL": str(journal), "DISK_JOURNAL_ROOT": os.path.realpath(root)}
