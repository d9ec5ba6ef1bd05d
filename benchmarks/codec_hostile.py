"""The same damaged streams through every peer: who crashes, hangs, leaks, or takes half a file for a whole one.

n counts the streams: 20,000 damaged ones and 2,000 that end early. Each peer runs in a process of its own, forked anew
behind each input that ends it, with 4 GiB of address space; an input that takes 2 s of processor time is ended. The
inputs that end nothing are read once more for warmth and once more to see what leaks.
"""

import ctypes
import io
import json
import mmap
import os
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

from rich.console import Console
from rich.progress import track

from benchmarks import peers, record
from shared.jpeg import Decoder, JpegError
from tests.fuzz.jpeg_mutations import Corpus
from tests.fuzz.jpeg_sources import TABLES, sources

DAMAGED: Final = 20_000
CUT: Final = 2_000
SLOW_SECONDS: Final = 0.05
HANGING_SECONDS: Final = 2.0
MEMORY_BYTES: Final = 4 << 30
# What became of an input: a byte each in memory that outlives the reading process.
VALUE, ERROR, CRASH, HANG = range(1, 5)
UNREAD: Final = b"\0"
SLOW: Final = 0x10


def main() -> int:
    """Let every peer read all, record."""
    figures: dict[str, float] = {}
    with tempfile.NamedTemporaryFile() as corpus:
        pickle.dump(streams(), corpus)
        corpus.flush()
        for name in track(READERS, "hostile streams", console=Console(stderr=True)):
            command = [sys.executable, "-m", "benchmarks.codec_hostile", name, corpus.name]
            run = subprocess.run(command, cwd=record.ROOT, capture_output=True, text=True, check=True)
            figures |= {f"{name}_{key}": value for key, value in json.loads(run.stdout).items()}
    record.write("codec_hostile", DAMAGED + CUT, figures, peers.versions())
    return 0


def streams() -> list[bytes]:
    """Damaged ones, then whole interchange files that end early."""
    rng, corpus = Random(1), Corpus(sources())
    whole = [stream for stream in corpus.streams if is_read(stream)]
    damaged = [corpus.mutated(rng) for _ in range(DAMAGED)]
    return damaged + [cut(whole[int(rng.random() * len(whole))], rng) for _ in range(CUT)]


def is_read(stream: bytes) -> bool:
    """Whether it is a whole file that brings its tables."""
    try:
        Decoder().decode(stream)
    except JpegError:
        return False
    return True


def cut(stream: bytes, rng: Random) -> bytes:
    """The stream without its end: EOI at least."""
    return stream[: 20 + int(rng.random() * (len(stream) - 21))]


def read_all(name: str, inputs: list[bytes]) -> dict[str, float]:
    """Every input once, whatever it does to the process; then what leaks."""
    reader, outcomes = READERS[name](), mmap.mmap(-1, len(inputs))
    peak = 0.0
    while (first := outcomes.find(UNREAD)) >= 0:
        status, used = in_child(lambda: read_from(first, reader, inputs, outcomes))
        peak = max(peak, used.ru_maxrss / 1024)
        if (at := outcomes.find(UNREAD)) >= 0:
            hung = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF
            outcomes[at] = HANG | SLOW if hung else CRASH
    found = outcomes[:]
    harmless = [data for data, outcome in zip(inputs, found, strict=True) if outcome & 0xF in {VALUE, ERROR}]
    leaked = mmap.mmap(-1, 16)
    in_child(lambda: leak(reader, harmless, leaked))
    kind = [outcome & 0xF for outcome in found]
    return {
        "crashes": kind.count(CRASH),
        "hangs": kind.count(HANG),
        "over_50ms": sum(outcome & SLOW > 0 for outcome in found),
        "truncated_accepted": kind[DAMAGED:].count(VALUE),
        "values": kind.count(VALUE),
        "leaked_mib": int.from_bytes(leaked[:8], "little", signed=True) / (1 << 20),
        "leaked_descriptors": int.from_bytes(leaked[8:], "little", signed=True),
        "peak_mib": peak,
    }


def in_child(work: Callable[[], None]) -> tuple[int, resource.struct_rusage]:
    """The work in a forked process; how that ended, and what it used."""
    if (child := os.fork()) == 0:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with Path(os.devnull).open("w") as nowhere:
            for descriptor in (1, 2):
                os.dup2(nowhere.fileno(), descriptor)
        work()
        os._exit(0)
    _, status, used = os.wait4(child, 0)
    return status, used


def read_from(first: int, reader: Callable[[bytes], Any], inputs: list[bytes], outcomes: mmap.mmap) -> None:
    """Read on from one input, writing down what becomes of each."""
    for at in range(first, len(inputs)):
        signal.setitimer(signal.ITIMER_PROF, HANGING_SECONDS)
        started = time.thread_time()
        outcome = VALUE if is_value(reader, inputs[at]) else ERROR
        outcomes[at] = outcome | (SLOW if time.thread_time() - started > SLOW_SECONDS else 0)


def leak(reader: Callable[[bytes], Any], inputs: list[bytes], leaked: mmap.mmap) -> None:
    """What a second reading of all inputs leaves behind: bytes, and open descriptors."""
    held = []
    for _ in range(2):
        for data in inputs:
            is_value(reader, data)
        ctypes.CDLL(None).malloc_trim(0)
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
        held.append((resident, len(list(Path("/proc/self/fd").iterdir()))))
    for index, (before, after) in enumerate(zip(*held, strict=True)):
        leaked[8 * index : 8 * index + 8] = (after - before).to_bytes(8, "little", signed=True)


def is_value(reader: Callable[[bytes], Any], data: bytes) -> bool:
    """Whether the reader gives a value, not an error of any kind."""
    try:
        reader(data)
    except Exception:  # noqa: BLE001 (peers raise what they like)
        return False
    return True


def ours() -> Callable[[bytes], Any]:
    return Decoder(TABLES).decode


def libjpeg() -> Callable[[bytes], Any]:
    from benchmarks.libjpeg_shim import LibjpegReader  # noqa: PLC0415 (a peer's process loads that peer only)

    reader = LibjpegReader(TABLES.to_stream())

    def decode(data: bytes) -> None:
        if reader.decode(data):
            raise ValueError("an error, or a warning")

    return decode


def jpeg2dct() -> Callable[[bytes], Any]:
    from jpeg2dct.numpy import loads  # noqa: PLC0415

    return lambda data: loads(data, normalized=False)


def jpeglib() -> Callable[[bytes], Any]:
    import jpeglib  # noqa: PLC0415

    path = Path(tempfile.mkdtemp()) / "stream.jpg"

    def decode(data: bytes) -> Any:
        path.write_bytes(data)
        return jpeglib.read_dct(str(path)).Y

    return decode


def pyjpegio() -> Callable[[bytes], Any]:
    import jpegio  # noqa: PLC0415

    path = Path(tempfile.mkdtemp()) / "stream.jpg"

    def decode(data: bytes) -> Any:
        path.write_bytes(data)
        return jpegio.read(str(path)).coef_arrays

    return decode


def simplejpeg() -> Callable[[bytes], Any]:
    from simplejpeg import decode_jpeg  # noqa: PLC0415

    decode: Callable[[bytes], Any] = decode_jpeg
    return decode


def pillow() -> Callable[[bytes], Any]:
    from PIL import Image  # noqa: PLC0415

    return lambda data: Image.open(io.BytesIO(data)).load()


READERS: Final[dict[str, Callable[[], Callable[[bytes], Any]]]] = {
    reader.__name__: reader for reader in (ours, libjpeg, jpeg2dct, jpeglib, pyjpegio, simplejpeg, pillow)
}

if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(read_all(sys.argv[1], pickle.loads(Path(sys.argv[2]).read_bytes()))))
    else:
        sys.exit(main())
