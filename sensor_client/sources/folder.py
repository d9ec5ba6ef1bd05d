"""A folder of picture files as a simulated camera."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import structlog

from sensor_client.sources.shot import SourceError
from shared.bundle import LabelsError, check_labels
from shared.pictures import SUFFIXES, Pixels, load_pixels, shown

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class FolderShot:
    """A picture file, and the label that its folder's name gives it, if any."""

    path: Path
    label: str | None
    captured_at: float | None = None

    def pixels(self) -> Pixels:
        """See `Shot`."""
        return load_pixels(self.path)


class FolderCamera:
    """A folder of pictures, in the order of the numbers in their names (`<label>/<index>.png`), else by name."""

    def __init__(self, folder: Path, *, is_looping: bool) -> None:
        """List the folder.

        Raises:
            SourceError: there is no picture in it.
        """
        self._shots = list_shots(folder)
        self._is_looping = is_looping

    @property
    def shot_count(self) -> int | None:
        """The number of pictures; None where they are taken again and again."""
        return None if self._is_looping else len(self._shots)

    def shots(self) -> Iterator[FolderShot]:
        """Every picture in order; then from the first one again where the camera loops."""
        yield from self._shots
        while self._is_looping:
            yield from self._shots


def open_folder(address: str, *, is_looping: bool) -> FolderCamera | None:
    """A camera for the folder at `address`; None where that is no folder.

    Raises:
        SourceError: there is no picture in it.
    """
    folder = Path(address)
    return FolderCamera(folder, is_looping=is_looping) if folder.is_dir() else None


def list_shots(folder: Path) -> list[FolderShot]:
    """Whatever is named like a picture below `folder`, in shooting order; hidden files and folders are passed over.

    What is none after all, such as a pipe or a link to nowhere, is found out when it is read.

    Raises:
        SourceError: there is none.
    """
    paths = [
        Path(place, name)
        for place, folders, names in _walk(folder)
        for name in (*names, *(name for name in folders if Path(place, name).is_symlink()))
        if Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")
    ]
    if not paths:
        raise SourceError(f"{shown(folder)}: no pictures there ({', '.join(sorted(SUFFIXES))})")
    label_of = cache(_label)
    return [
        FolderShot(path, None if path.parent == folder else label_of(path.parent))
        for path in sorted(paths, key=_shooting_order)
    ]


def _walk(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    for place, folders, names in os.walk(folder, onerror=_tell_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield place, folders, names


def _tell_unreadable(error: OSError) -> None:
    _log.warning("folder-unreadable", name=shown(Path(error.filename)), reason=error.strerror)


def _label(folder: Path) -> str | None:
    """The label that a folder's name gives its pictures; a name that no label can have gives none."""
    try:
        check_labels([folder.name])
    except LabelsError as error:
        _log.warning("label-unusable", name=shown(folder), reason=str(error))
        return None
    return folder.name


def _shooting_order(path: Path) -> tuple[bool, int, str]:
    number = re.search(r"(\d+)\D*$", path.stem)
    return (number is None, int(number[1][-18:]) if number else 0, str(path))
