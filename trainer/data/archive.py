"""Archives are unpacked whole or not at all, and can write nowhere else, whatever they say."""

import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from trainer.errors import DatasetError

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What unpacking may make at most."""

    members: int = 200_000
    total_bytes: int = 2 << 30


@dataclass(frozen=True)
class _Member:
    name: str
    is_folder: bool
    is_file: bool
    open: Callable[[], IO[bytes] | None]


def unpack(archive: Path, folder: Path, limits: Limits = Limits()) -> None:
    """Unpack `<folder's name>/...` of a .zip or .tar.gz as `folder`, which appears when everything is there.

    Whether the content is the published one is for `download` to say.

    Raises:
        DatasetError: it is damaged, holds links, devices or names that lead elsewhere, or exceeds a limit.
    """
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as name:
        try:
            _write(archive, Path(name), folder.name, limits)
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, FileExistsError) as error:
            raise DatasetError(archive, f"cannot be unpacked: {error}") from error
        if not (Path(name) / folder.name).is_dir():
            raise DatasetError(archive, f"holds no folder {folder.name}")
        shutil.move(Path(name) / folder.name, folder)


def _write(archive: Path, into: Path, top: str, limits: Limits) -> None:
    left = limits.total_bytes
    for number, member in enumerate(_members(archive), 1):
        if number > limits.members:
            raise DatasetError(archive, f"holds more than {limits.members} members")
        path = into / _safe(archive, member, top)
        if member.is_folder:
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        left -= _copy(member, path, left)
        if left < 0:
            raise DatasetError(archive, f"holds more than {limits.total_bytes} bytes")


def _copy(member: _Member, path: Path, most: int) -> int:
    """Copy a member, up to a chunk beyond `most` bytes; returns how many bytes were written."""
    written = 0
    source = member.open()
    assert source is not None  # a regular file has content
    with source, path.open("xb") as target:
        while written <= most and (chunk := source.read(CHUNK_BYTES)):
            written += target.write(chunk)
    return written


def _safe(archive: Path, member: _Member, top: str) -> PurePosixPath:
    """Return the member's name, provided that it stays below `top`."""
    name = PurePosixPath(member.name)
    if not (member.is_file or member.is_folder):
        raise DatasetError(archive, f"{member.name!r} is neither a file nor a folder")
    if name.is_absolute() or ".." in name.parts or name.parts[:1] != (top,) or "\\" in member.name:
        raise DatasetError(archive, f"{member.name!r} would lie outside {top}")
    return name


def _members(archive: Path) -> Iterator[_Member]:
    return _zip_members(archive) if archive.suffix == ".zip" else _tar_members(archive)


def _tar_members(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive, "r|gz") as tar:
        for info in tar:
            yield _Member(info.name, info.isdir(), info.isreg(), partial(tar.extractfile, info))


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            is_file = not info.is_dir() and kind in (0, stat.S_IFREG)
            yield _Member(info.filename, info.is_dir(), is_file, partial(file.open, info))
