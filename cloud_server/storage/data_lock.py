"""One server a data directory: devices, assignments and TUF versions are held in memory, so two would contradict."""

import fcntl
from pathlib import Path

from shared.errors import DctwireError


class DataInUseError(DctwireError):
    """Another server works in the data directory."""


class DataLock:
    """Held from construction to `release`, or to the end of the process, however that comes."""

    def __init__(self, data: Path, *, may_create: bool = False) -> None:
        """Take the lock.

        Args:
            may_create: whether a directory that is not there is made, which then is its owner's alone.

        Raises:
            DataInUseError: another process holds it.
            OSError: the directory cannot be written.
        """
        if may_create:
            data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = (data / "lock").open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise DataInUseError(f"another dctwire-server works in {data}") from error

    def release(self) -> None:
        """Let the next one in."""
        self._file.close()
