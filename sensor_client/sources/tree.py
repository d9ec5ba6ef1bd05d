"""The picture files below a folder, listed again and again at little cost."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from sensor_client.logs import get_logger
from shared.pictures import SUFFIXES, shown

FOLDER_LIMIT = 10_000
"""Folders below the one that is watched; deeper ones are passed over, and that is logged."""

_log = get_logger(__name__)


class PictureTree:
    """Lists a folder with what lies below it; hidden files and folders are passed over, links to folders, too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._changed_ns: dict[str, int] = {}  # of every folder that was listed, when it was
        self._told: set[str] = set()

    def has_changed(self) -> bool:
        """Whether an entry of a listed folder came or went since. A file written in place changes no folder.

        Raises:
            OSError: the folder itself cannot be reached.
        """
        self.folder.stat()
        return any(_changed_ns(place) != changed_ns for place, changed_ns in self._changed_ns.items()) or (
            not self._changed_ns
        )

    def files(self) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """What is named like a picture, with its path below the folder.

        Raises:
            OSError: the folder itself cannot be listed.
        """
        self._changed_ns = {}
        places = [str(self.folder)]
        skipped = len(os.path.join(self.folder, ""))  # noqa: PTH118
        while places:
            place = places.pop()
            self._changed_ns[place] = _changed_ns(place)
            for entry in self._entries(place):
                if entry.name.startswith("."):
                    continue
                if _is_folder(entry):
                    places.append(entry.path)
                elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:  # noqa: PTH122 - 100,000 files a look
                    yield entry.path[skipped:], entry
            if len(places) + len(self._changed_ns) > FOLDER_LIMIT:
                self._tell_once("too-many-folders", str(self.folder), f"over {FOLDER_LIMIT}: some are not looked into")
                places = []

    def _entries(self, place: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(place) as entries:
                yield from entries
        except OSError as error:
            if place == str(self.folder):
                raise
            self._tell_once("folder-unreadable", place, error.strerror or str(error))

    def _tell_once(self, event: str, place: str, reason: str) -> None:
        if place not in self._told and len(self._told) < FOLDER_LIMIT:
            self._told.add(place)
            _log.warning(event, name=shown(Path(place)), reason=reason)


def _changed_ns(place: str) -> int:
    try:
        return Path(place).stat().st_mtime_ns
    except OSError:
        return 0


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def is_file(status: os.stat_result) -> bool:
    """Whether it can be read to an end, as a pipe or a device cannot."""
    return stat.S_ISREG(status.st_mode)
