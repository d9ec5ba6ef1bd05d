"""Files that appear whole or not at all, and stay, whatever stops the program or the machine."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

Sync = Callable[[int], None]  # of a file descriptor, until what was written through it is on the disk


def write_whole(path: Path, fill: Callable[[IO[bytes]], object], sync: Sync = os.fsync) -> None:
    """Replace a file with what `fill` writes; on the disk when this returns, under its name.

    Only one process may write a file at a time: what a killed one left beside the file is overwritten by the next.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            fill(file)
            file.flush()
            sync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent, sync)


def append_line(path: Path, line: str, sync: Sync = os.fsync) -> None:
    """Append a line to a file; on the disk when this returns."""
    is_new = not path.exists()
    with path.open("a") as file:
        file.write(line + "\n")
        file.flush()
        sync(file.fileno())
    if is_new:
        _sync_folder(path.parent, sync)


def _sync_folder(folder: Path, sync: Sync) -> None:
    """Bring the names of a folder's files to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        sync(handle)
    finally:
        os.close(handle)
