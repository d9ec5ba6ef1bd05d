"""A disk that loses its power: the states of a folder that may be found afterwards, from what a program did to it.

What holds of any disk and file system that keep their word: bytes are there that were written before a file's last
fsync, and names as they were at a folder's. Whatever came later may be there or not: of a file's bytes each sector of
512 bytes by itself, in any choice, and so with its length; of changes to names as many of the first as may be, since
file systems write those down in order. That a new file's name follows from its own fsync is not counted on.
"""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.power_cuts.journal import Kind, Step

SECTOR_BYTES = 512

Kept = Callable[[], bool]
"""Asked of each sector, and each change of length, that was not synced: whether the disk has it."""


@dataclass
class File:
    """The bytes that are safe, and what was done to them since, in order."""

    mode: int
    safe: bytearray = field(default_factory=bytearray)
    loose: list[Step] = field(default_factory=list)

    def sync(self) -> None:
        """What was done is safe."""
        for step in self.loose:
            _apply(self.safe, step, lambda: True)
        self.loose.clear()

    def found(self, kept: Kept) -> bytes:
        """What may be found."""
        data = bytearray(self.safe)
        for step in self.loose:
            _apply(data, step, kept)
        return bytes(data)


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True)
class Folder:
    """A folder below."""

    mode: int


Node = File | Link | Folder
Names = dict[str, Node]


class Disk:
    """A folder as a program finds it, which then takes its steps one by one."""

    def __init__(self, root: Path) -> None:
        """As it is now; all of it is safe."""
        self._files: dict[int, File] = {}
        self._safe_names: Names = {}
        self._changes: list[Step] = []
        self._made: dict[int, File] = {}
        for path in sorted(root.rglob("*")):
            self._safe_names[str(path.relative_to(root))] = self._node(path)

    def take(self, steps: Iterable[Step]) -> None:
        """Go on by these."""
        for step in steps:
            if step.kind in (Kind.WRITE, Kind.TRUNCATE):
                self._files[step.file].loose.append(step)
            elif step.kind is Kind.SYNC:
                self._files[step.file].sync()
            elif step.kind is Kind.SYNC_FOLDER:
                self._sync_folder(step.path)
            else:
                if step.kind is Kind.CREATE:
                    self._made[len(self._changes)] = self._files[step.file] = File(step.offset)
                self._changes.append(step)

    def write(self, root: Path, random: Random | None) -> None:
        """Write what is found after a power cut now into an empty folder; without chance, what the program saw."""
        share = 1.0 if random is None else random.choice((0.0, 0.0, 0.1, 0.5, 0.9, 1.0))
        kept: Kept = (lambda: True) if random is None else (lambda: random.random() < share)
        count = len(self._changes) if random is None else random.randint(0, len(self._changes))
        for path, node in sorted(self._names(count).items()):
            target = root / path
            if isinstance(node, Folder):
                target.mkdir(node.mode | 0o700)
            elif isinstance(node, Link):
                target.symlink_to(node.target)
            else:
                target.write_bytes(node.found(kept))
                target.chmod(node.mode)

    def _node(self, path: Path) -> Node:
        is_about = path.lstat()
        if path.is_symlink():
            return Link(str(path.readlink()))
        if path.is_dir():
            return Folder(is_about.st_mode & 0o7777)
        file = self._files[is_about.st_ino] = File(is_about.st_mode & 0o7777, bytearray(path.read_bytes()))
        return file

    def _sync_folder(self, path: str) -> None:
        """All changes up to the last one in this folder are safe: they are written down in order."""
        last = max((at for at, step in enumerate(self._changes) if _is_in(step, path)), default=-1)
        self._safe_names = self._names(last + 1)
        self._changes = self._changes[last + 1 :]
        self._made = {at - last - 1: file for at, file in self._made.items() if at > last}

    def _names(self, count: int) -> Names:
        """The names after so many of the changes that are not safe."""
        names = dict(self._safe_names)
        for at, step in enumerate(self._changes[:count]):
            if step.kind is Kind.CREATE:
                names[step.path] = self._made[at]
            elif step.kind is Kind.MKDIR:
                names[step.path] = Folder(step.offset)
            elif step.kind is Kind.SYMLINK:
                names[step.path] = Link(step.first)
            elif step.kind is Kind.LINK:
                names[step.path] = names[step.first]
            elif step.kind is Kind.RENAME:
                _rename(names, step.first, step.path)
            else:
                del names[step.path]
        return names


def cut_power(root: Path, before: Disk, steps: Iterable[Step], random: Random) -> None:
    """Leave in `root` what a disk shows that lost its power after these steps."""
    before.take(steps)
    for path in root.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    before.write(root, random)


def _apply(data: bytearray, step: Step, kept: Kept) -> None:
    if step.kind is Kind.TRUNCATE:
        if kept():
            del data[step.offset :]
            data.extend(bytes(step.offset - len(data)))
        return
    at, end = step.offset, step.offset + len(step.payload)
    while at < end:
        next_at = min(end, (at // SECTOR_BYTES + 1) * SECTOR_BYTES)
        if kept():
            data.extend(bytes(max(0, at - len(data))))
            data[at:next_at] = step.payload[at - step.offset : next_at - step.offset]
        at = next_at


def _is_in(step: Step, folder: str) -> bool:
    changed = [step.path, step.first] if step.kind is Kind.RENAME else [step.path]
    return any(path.rpartition("/")[0] == folder for path in changed)


def _rename(names: Names, old: str, new: str) -> None:
    for path in [path for path in names if path == new or path.startswith(f"{new}/")]:
        del names[path]
    for path in [path for path in names if path == old or path.startswith(f"{old}/")]:
        names[new + path[len(old) :]] = names.pop(path)
