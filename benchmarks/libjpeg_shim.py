"""Debian's libjpeg-turbo through a small C library that is compiled here; `libjpeg_shim.c` says what it does."""

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from benchmarks.record import ROOT

SOURCE = Path(__file__).with_suffix(".c")


class MissingLibjpegError(Exception):
    """No C compiler, or no libjpeg to compile against."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"libjpeg-turbo cannot be measured; try `apt-get install gcc libjpeg-dev`. {detail}")


@cache
def library() -> ctypes.CDLL:
    """The compiled shim.

    Raises:
        MissingLibjpegError: it does not compile.
    """
    folder = ROOT / ".cache" / "libjpeg_shim"
    folder.mkdir(parents=True, exist_ok=True)
    compiler = shutil.which("cc")
    if compiler is None:
        raise MissingLibjpegError("There is no `cc`.")
    made = folder / "libshim.so"
    command = [compiler, "-O2", "-shared", "-fPIC", str(SOURCE), "-o", str(made), "-ljpeg"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise MissingLibjpegError(run.stderr)
    shim = ctypes.CDLL(str(made))
    shim.shim_new.restype = ctypes.c_void_p
    shim.shim_new.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    shim.shim_free.argtypes = [ctypes.c_void_p]
    shim.shim_decode.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    shim.shim_time.restype = ctypes.c_int64
    shim.shim_time.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
    shim.shim_version.restype = ctypes.c_char_p
    return shim


class LibjpegReader:
    """One decompress object that has read a tables-only stream, and is used for every frame."""

    def __init__(self, tables: bytes) -> None:
        self._library = library()
        self._reader = self._library.shim_new(tables, len(tables))
        assert self._reader, "libjpeg refuses the tables"

    def decode(self, frame: bytes) -> int:
        """Warnings, or -1 for an error; the coefficients stay in libjpeg's memory."""
        return int(self._library.shim_decode(self._reader, frame, len(frame)))

    def seconds(self, frames: Sequence[bytes], repeats: int) -> float:
        """Processor time of decoding all frames `repeats` times in C."""
        pointers = (ctypes.c_char_p * len(frames))(*frames)
        lengths = (ctypes.c_size_t * len(frames))(*map(len, frames))
        spent = self._library.shim_time(self._reader, pointers, lengths, len(frames), repeats)
        assert spent >= 0, "libjpeg refuses a frame"
        return float(spent) / 1e9


def version() -> str:
    """Name and version, as the header says."""
    return str(library().shim_version().decode())
