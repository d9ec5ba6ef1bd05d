"""A disk that once takes no more: one call of the operating system fails as on a full disk, or the power goes there."""

import errno
import os
import sys
from types import FrameType, TracebackType
from typing import Self

CHANGES = (os.fsync, os.replace, os.rename, os.symlink, os.mkdir, os.open)


class FailingDisk:
    """Use it with `with`: of this thread's calls that change files, number `at` (from 0) raises `error`.

    `calls` is how many there were; as long as it is not above `at`, nothing failed.
    """

    def __init__(self, at: int, error: type[BaseException] | None = None) -> None:
        self._at, self._error = at, error
        self.calls = 0

    def __enter__(self) -> Self:
        sys.setprofile(self._on_call)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        sys.setprofile(None)

    def _on_call(self, frame: FrameType, event: str, function: object) -> None:
        if event != "c_call" or not any(function is change for change in CHANGES):
            return
        if function is os.open and "mode" not in frame.f_locals:  # opened to be read, or to be synced
            return
        self.calls += 1
        if self.calls - 1 == self._at:
            raise self._error or OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
