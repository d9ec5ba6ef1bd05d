"""Room on the disk that is kept for one use: to let frames go that the server has, while the disk is full."""

import contextlib
import os
from pathlib import Path

from shared import durable


class Reserve:
    """A file of zeros that can be given up in a moment, and is made again once there is room."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes

    def make(self) -> bool:
        """Make it as large as it is meant to be, or as there is room for; whether it is whole."""
        size_bytes = self._size_bytes
        with contextlib.suppress(OSError):
            durable.make_way(self._path)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                while size_bytes >= self._size_bytes // 16:
                    if os.fstat(descriptor).st_size >= size_bytes or _allocated(descriptor, size_bytes):
                        return size_bytes == self._size_bytes
                    size_bytes //= 2
            finally:
                os.close(descriptor)
        return False

    def give_up(self) -> None:
        """Let its room be used."""
        with contextlib.suppress(OSError):
            durable.make_way(self._path)  # or a link's target would be emptied
            os.truncate(self._path, 0)


def _allocated(descriptor: int, size_bytes: int) -> bool:
    try:
        os.posix_fallocate(descriptor, 0, size_bytes)
    except OSError:
        os.ftruncate(descriptor, 0)
        return False
    return True
