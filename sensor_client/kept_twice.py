"""A file that is kept twice, so that damage to either one costs nothing."""

from collections.abc import Callable
from pathlib import Path

from shared import durable


class KeptTwice:
    """What `path` holds, and a copy beside it; both are for their owner only."""

    def __init__(self, path: Path, is_whole: Callable[[bytes], bool]) -> None:
        """Name the files.

        Args:
            is_whole: whether these bytes are what was written, as far as they can tell.
        """
        self._path = path
        self._copy = path.with_name(f"{path.stem}-copy{path.suffix}")
        self._is_whole = is_whole

    @property
    def is_there(self) -> bool:
        """Whether there is anything at either place, whole or not."""
        return any(path.exists() or path.is_symlink() for path in (self._path, self._copy))

    def read(self) -> bytes | None:
        """What was written last, from whichever file is whole; None where neither is."""
        return next(
            (data for data in map(durable.bytes_of, (self._path, self._copy)) if data and self._is_whole(data)), None
        )

    def write(self, data: bytes) -> None:
        """Replace both, one after the other.

        Raises:
            OSError: the disk is full, read-only or broken; at least one file is whole.
        """
        for path in (self._path, self._copy):
            durable.write_file(path, data, mode=0o600)

    def heal(self) -> None:
        """Write whichever file is missing or damaged anew from the other.

        Raises:
            OSError: as `write`.
        """
        data = self.read()
        for path in (self._path, self._copy):
            if data is not None and durable.bytes_of(path) != data:
                durable.write_file(path, data, mode=0o600)
