"""A folder into which somebody puts pictures: each is taken once, in the order of their times, across restarts."""

import heapq
import os
import threading
from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from sensor_client.backoff import delay_seconds
from sensor_client.logs import get_logger
from sensor_client.sources.folder_label import label_of
from sensor_client.sources.opening import SourceSurroundings
from sensor_client.sources.read_shot import FailedShot, ReadShot
from sensor_client.sources.readiness import HEAD_BYTES, QUIET_SECONDS, TAIL_BYTES, FileEnds, may_be_read, seems_whole
from sensor_client.sources.shot import Shot, SourceError
from sensor_client.sources.taken import FileKey, TakenFiles, path_hash
from sensor_client.sources.tree import PictureTree, is_file
from shared.pictures import SENSOR_LIMITS, PictureError, shown

LOOK_SECONDS = 1.0
"""Between two looks, at least."""
SHARE_OF_TIME = 0.05
"""What looking may take of the time: a folder of very many files is looked at less often."""
WHOLE_LOOK_SECONDS = 30.0
"""So often every file is looked at, for one that was written in place, which changes no folder."""
LAST_LOOKS = 3
"""So often a folder that nobody waits for is looked at for a file that was just being written."""
PENDING_LIMIT = 1000
"""Files considered at a time; the oldest first."""
LONGEST_ABSENCE_SECONDS = 10.0
"""Between two looks for a folder that is gone, at most."""

_log = get_logger(__name__)


@dataclass
class _Pending:
    """A file that waits to be whole: as it was, since when (monotonic), and when it was written last."""

    relative: str
    key: FileKey
    since_seconds: float
    written_at: float


class WatchedFolder:
    """A camera that somebody else's program feeds. It has no end where it waits."""

    shot_count = None

    def __init__(
        self,
        folder: Path,
        around: SourceSurroundings,
        *,
        deletes: bool,
        waits: bool = True,
        pending_limit: int = PENDING_LIMIT,
    ) -> None:
        """Nothing is looked at yet.

        Args:
            deletes: whether a file is deleted once it is in the spool. Without, it stays, and a record says that it
                was taken.
            waits: whether new pictures are waited for. Without, it ends behind those that are there, or are whole
                within some seconds; a folder that is gone is waited for all the same.
        """
        self._folder = folder
        self._tree = PictureTree(folder)
        self._clock = around.clock
        self._random = around.random
        self._health = around.health
        self._taken = TakenFiles(around.memory / "taken")
        self._deletes = deletes
        self._waits = waits
        self._pending_limit = pending_limit
        self._label_of = lru_cache(PENDING_LIMIT)(label_of)
        self._pending: dict[str, _Pending] = {}
        self._is_cut_short = False
        self._whole_look_due_seconds = 0.0

    def shots(self, stop: threading.Event) -> Generator[Shot, None, None]:
        """See `Camera`."""
        absences = looks = 0
        while not stop.is_set():
            began_seconds = self._clock.monotonic_seconds()
            try:
                self._look()
            except OSError as error:
                self._health.lost(f"{shown(self._folder)}: {error.strerror or error}")
                pause_seconds = min(LONGEST_ABSENCE_SECONDS, delay_seconds(absences, None, self._random))
                absences += 1
            else:
                absences = 0
                self._health.found()
                pause_seconds = (self._clock.monotonic_seconds() - began_seconds) / SHARE_OF_TIME
                for pending in self._ready():
                    shot = self._read(pending)
                    if shot is not None:
                        yield shot
                        shot.settle()
                    if stop.is_set():
                        return
                looks += 1
                if not self._waits and (not self._pending or looks >= LAST_LOOKS):
                    return
            self._clock.wait(stop, max(LOOK_SECONDS, pause_seconds))

    def _look(self) -> None:
        """Find new files, and what became of those that are waited for."""
        now_seconds = self._clock.monotonic_seconds()
        is_whole = now_seconds >= self._whole_look_due_seconds
        if is_whole:
            self._whole_look_due_seconds = now_seconds + WHOLE_LOOK_SECONDS
        if not (is_whole or self._pending or self._is_cut_short or self._tree.has_changed()):
            return
        found = self._found(is_whole, now_seconds)
        oldest = heapq.nsmallest(self._pending_limit + 1, found, key=lambda each: (each.written_at, each.relative))
        self._is_cut_short = len(oldest) > self._pending_limit
        self._pending = {each.relative: self._as_known(each) for each in oldest[: self._pending_limit]}

    def _found(self, is_whole: bool, now_seconds: float) -> Generator[_Pending, None, None]:
        for relative, entry in self._tree.files():
            if not is_whole and relative not in self._pending and self._taken.knows_path(path_hash(relative)):
                continue
            try:
                status = entry.stat()
            except OSError:
                continue  # deleted meanwhile, or a link to nowhere
            key = FileKey.of(relative, status)
            if is_file(status) and not self._taken.has(key):
                age_seconds = max(0.0, self._clock.now() - status.st_mtime)
                yield _Pending(relative, key, now_seconds - min(QUIET_SECONDS, age_seconds), status.st_mtime)

    def _as_known(self, found: _Pending) -> _Pending:
        known = self._pending.get(found.relative)
        return known if known is not None and known.key == found.key else found

    def _ready(self) -> list[_Pending]:
        now_seconds = self._clock.monotonic_seconds()
        return [
            each
            for each in self._pending.values()
            if (unchanged_seconds := now_seconds - each.since_seconds) >= QUIET_SECONDS
            and may_be_read(
                unchanged_seconds=unchanged_seconds,
                looks_whole=seems_whole(_ends(self._folder / each.relative)),
            )
        ]

    def _read(self, pending: _Pending) -> ReadShot | FailedShot | None:
        """The shot; None where the file is gone, or has changed since it was looked at and is waited for again."""
        path = self._folder / pending.relative
        try:
            with _opened(path) as file:
                length = os.fstat(file.fileno()).st_size
                SENSOR_LIMITS.check_bytes(path, length)
                content = file.read(length)
                key = FileKey.of(pending.relative, os.fstat(file.fileno()))
        except FileNotFoundError:
            self._pending.pop(pending.relative, None)
            return None
        except PictureError as error:
            return FailedShot(error, when_settled=lambda: self._settle(pending))
        except OSError as error:
            failure = PictureError.of(path, error.strerror or error)
            return FailedShot(failure, when_settled=lambda: self._settle(pending, is_read=False))
        if key != pending.key:
            return None
        label = None if path.parent == self._folder else self._label_of(path.parent)
        at = pending.written_at if 0 < pending.written_at <= self._clock.now() else None
        return ReadShot(content, shown(path), label, at, when_settled=lambda: self._settle(pending))

    def _settle(self, pending: _Pending, *, is_read: bool = True) -> None:
        if self._pending.pop(pending.relative, None) is None:
            return
        if not is_read:  # it may be at the next start
            self._taken.add_for_now(pending.key)
        elif not (self._deletes and self._has_deleted(pending)):
            self._taken.add(pending.key)

    def _has_deleted(self, pending: _Pending) -> bool:
        path = self._folder / pending.relative
        try:
            if FileKey.of(pending.relative, path.stat()) == pending.key:
                path.unlink()
        except FileNotFoundError:
            return True
        except OSError as error:
            _log.warning("taken-file-not-deleted", name=shown(path), reason=error.strerror)
            return False
        return True


def watched(folder: Path, around: SourceSurroundings, *, deletes: bool, waits: bool) -> WatchedFolder:
    """A camera for the folder, which may come later.

    Raises:
        SourceError: something else than a folder is there.
    """
    if folder.exists() and not folder.is_dir():
        raise SourceError(f"{shown(folder)}: is no folder, and so cannot be watched")
    return WatchedFolder(folder, around, deletes=deletes, waits=waits)


def _opened(path: Path) -> BinaryIO:
    """The file, open; a pipe that took its place keeps nobody waiting."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")


def _ends(path: Path) -> FileEnds:
    """The file's ends; none where it cannot be read: then it is waited for, and read at last to learn why."""
    try:
        with _opened(path) as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(max(0, length - TAIL_BYTES))
            tail = file.read(TAIL_BYTES)
            file.seek(0)
            return FileEnds(length, file.read(HEAD_BYTES), tail)
    except OSError:
        return FileEnds(0, b"", b"")
