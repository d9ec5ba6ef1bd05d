"""Files that are replaced as a whole or not at all, at whatever moment the power goes.

One process at a time writes to a folder. A directory that stands in a file's place, or a file in a directory's, is
damage: it is set aside, so that the device heals.
"""

import os
import shutil
from pathlib import Path


def bytes_of(path: Path) -> bytes:
    """What a file holds; nothing where it cannot be read: whoever keeps it verifies what it holds, and heals damage."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def write_file(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace `path` by `data`: temporary neighbour, fsync, rename, fsync of the directory.

    Raises:
        OSError: the disk is full, read-only or broken; `path` is as before.
    """
    temporary = _temporary(path)
    try:
        _write_synced(temporary, data, mode)
        _move_directory(path)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def point_link(link: Path, target: str) -> None:
    """Make the symbolic link `link` point at `target` (a name beside it) in one atomic step.

    Raises:
        OSError: as `write_file`.
    """
    temporary = _temporary(link)
    temporary.symlink_to(target)
    _move_directory(link)
    temporary.replace(link)
    sync_directory(link.parent)


def make_directory(path: Path, mode: int = 0o700) -> None:
    """Make a directory whose name survives a power cut; one that is there stays as it is.

    Raises:
        OSError: the disk is full, read-only or broken.
    """
    if path.is_dir():
        return
    if path.exists() or path.is_symlink():
        set_aside(path)
    path.mkdir(parents=True, mode=mode)
    sync_directory(path.parent)


def set_aside(path: Path) -> None:
    """Give what stands at `path` another name beside it, in the place of what was set aside before.

    Raises:
        OSError: the disk is read-only or broken.
    """
    aside = path.with_name(f".{path.name}.aside")
    _remove(aside)
    path.rename(aside)


def make_way(path: Path) -> None:
    """Set aside what stands where a file belongs and is none: a directory, or a link, which may lead nowhere.

    Raises:
        OSError: as `set_aside`.
    """
    if path.is_symlink() or path.is_dir():
        set_aside(path)


def sync_directory(directory: Path) -> None:
    """fsync a directory, so that the renames in it survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary(path: Path) -> Path:
    """A free name beside `path`: always the same one, so that power cuts leave no more than one such file."""
    temporary = path.with_name(f".{path.name}.new")
    _remove(temporary)
    return temporary


def _move_directory(path: Path) -> None:
    """A link is replaced in one step, a directory cannot be."""
    if _is_directory(path):
        set_aside(path)


def _remove(path: Path) -> None:
    if _is_directory(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _write_synced(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
