"""A folder of picture files as a simulated camera."""

import os
import re
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sensor_client.logs import get_logger
from sensor_client.sources.folder_label import label_of
from sensor_client.sources.opening import SourceSettings, SourceSurroundings
from sensor_client.sources.shot import Camera, SourceError
from sensor_client.sources.watched_folder import watched
from shared.pictures import SENSOR_LIMITS, SUFFIXES, Pixels, load_jpeg, load_pixels, shown

_log = get_logger(__name__)


@dataclass(frozen=True)
class FolderShot:
    """A picture file, and the label that its folder's name gives it, if any."""

    path: Path
    label: str | None
    captured_at: float | None = None

    def jpeg(self) -> bytes | None:
        """See `Shot`: the file's bytes."""
        return load_jpeg(self.path, SENSOR_LIMITS)

    def pixels(self) -> Pixels:
        """See `Shot`."""
        return load_pixels(self.path, SENSOR_LIMITS)

    def settle(self) -> None:
        """See `Shot`: the file stays."""


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

    def shots(self, stop: threading.Event) -> Generator[FolderShot, None, None]:
        """Every picture in order; then from the first one again where the camera loops."""
        yield from self._shots
        while self._is_looping and not stop.is_set():
            yield from self._shots


def open_folder(address: str, settings: SourceSettings, around: SourceSurroundings) -> Camera | None:
    """A camera for the folder at `address`; None where that is no folder.

    Raises:
        SourceError: there is no picture in it.
    """
    folder = Path(address)
    if settings.is_watched and "://" not in address:
        return watched(folder, around, deletes=settings.deletes_taken, waits=settings.waits)
    return FolderCamera(folder, is_looping=settings.is_looping) if folder.is_dir() else None


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
    labels = cache(label_of)
    return [
        FolderShot(path, None if path.parent == folder else labels(path.parent))
        for path in sorted(paths, key=_shooting_order)
    ]


def _walk(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    for place, folders, names in os.walk(folder, onerror=_tell_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield place, folders, names


def _tell_unreadable(error: OSError) -> None:
    _log.warning("folder-unreadable", name=shown(Path(error.filename)), reason=error.strerror)


def _shooting_order(path: Path) -> tuple[bool, int, str]:
    number = re.search(r"(\d+)\D*$", path.stem)
    return (number is None, int(number[1][-18:]) if number else 0, str(path))
