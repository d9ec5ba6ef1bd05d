"""A directory of generated arrays, found again by the content key of what made them."""

import fcntl
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.whole_file import write_whole

Arrays = Mapping[str, NDArray[np.generic]]

LIMIT_BYTES = 2 << 30


class ArrayCache:
    """Keeps at most `limit_bytes` of .npz files; the ones unused for longest go first.

    Args:
        folder: created when first written to.
    """

    def __init__(self, folder: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes

    def get(self, key: str, make: Callable[[], Arrays]) -> Arrays:
        """The arrays of `key`, from disk, or made and kept; a damaged file is made again."""
        path = self._folder / f"{key}.npz"
        arrays = _read(path)
        if arrays is None:
            return self._make(path, make)
        os.utime(path)
        return arrays

    def _make(self, path: Path, make: Callable[[], Arrays]) -> Arrays:
        """Make the arrays and keep them; where another process is making the same arrays, wait for its file instead."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            arrays = _read(path)
            if arrays is None:
                arrays = make()
                write_whole(path, lambda file: np.savez(file, allow_pickle=False, **arrays))
                self._prune(keep=path)
            return arrays

    def _prune(self, keep: Path) -> None:
        files = sorted(self._folder.glob("*.npz"), key=lambda file: file.stat().st_mtime, reverse=True)
        held = keep.stat().st_size
        for file in files:
            if file == keep:
                continue
            held += file.stat().st_size
            if held > self._limit_bytes:
                file.unlink(missing_ok=True)


def _read(path: Path) -> Arrays | None:
    """The file's arrays (each checked against its CRC-32), or None when it is missing or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
