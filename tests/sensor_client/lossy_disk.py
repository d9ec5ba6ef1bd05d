"""A disk that forgets at a power cut: what was not synced is not there afterwards, and names point where they did.

Of a file the content is safe that it had when it was last synced; files that were never synced are empty. Of a folder,
the names are safe that it had when it was last synced; later ones are gone and replaced ones are back, or, on a disk
that writes names first, all of them are there whatever the files hold.
"""

import os
import shutil
import sys
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self, TypeAlias

CHANGES = (os.fsync, os.replace, os.rename, os.symlink, os.mkdir)
Names: TypeAlias = dict[str, "str | int"]
"""Of a folder: where a link leads, or a file's inode."""


class PowerCut(BaseException):
    """The power went."""


class LossyDisk:
    """Use it with `with`: at call number `at` (from 0) of this thread that changes files, the power goes."""

    def __init__(self, folder: Path, at: int, *, writes_names_first: bool) -> None:
        self._folder = folder
        self._writes_names_first = writes_names_first
        self._at = at
        self._calls = 0
        self._contents: dict[int, bytes] = {}
        self._names: dict[Path, Names] = {}
        self.was_cut = False

    def __enter__(self) -> Self:
        for path in (self._folder, *self._folder.rglob("*")):  # what is there at the beginning is safe
            if _is_folder(path):
                self._names[path] = _names_in(path)
            elif path.is_file():
                self._contents[path.stat().st_ino] = path.read_bytes()
        sys.setprofile(self._on_call)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        sys.setprofile(None)
        if not isinstance(error, PowerCut):
            return False
        self.was_cut = True
        self._forget()
        return True

    def _on_call(self, frame: FrameType, event: str, function: object) -> None:
        if event != "c_call" or not any(function is change for change in CHANGES):
            return
        self._calls += 1
        if self._calls - 1 == self._at:
            raise PowerCut
        if function is os.fsync:
            self._sync(frame)

    def _sync(self, frame: FrameType) -> None:
        numbers = [value for value in frame.f_locals.values() if type(value) is int]
        links = [Path(f"/proc/self/fd/{number}") for number in numbers]
        for path in {link.readlink() for link in links if link.is_symlink()}:
            if path == self._folder or self._folder in path.parents:
                if path.is_dir():
                    self._names[path] = _names_in(path)
                else:
                    self._contents[path.stat().st_ino] = path.read_bytes()

    def _forget(self) -> None:
        folders = {path: names for path, names in self._names.items() if path.is_dir()}
        if self._writes_names_first:
            folders = {path: _names_in(path) for path in (self._folder, *self._folder.rglob("*")) if _is_folder(path)}
        shutil.rmtree(self._folder)
        for folder, names in sorted(folders.items()):
            folder.mkdir(parents=True, exist_ok=True)
            for name, what in names.items():
                path = folder / name
                if isinstance(what, str):
                    path.symlink_to(what)
                else:
                    path.write_bytes(self._contents.get(what, b""))


def _names_in(folder: Path) -> Names:
    names: Names = {}
    for path in folder.iterdir():
        if path.is_symlink():
            names[path.name] = str(path.readlink())
        elif path.is_file():
            names[path.name] = path.stat().st_ino
    return names


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
