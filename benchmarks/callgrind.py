"""Instructions a picture, counted by valgrind's callgrind: they do not depend on the machine's mood.

`python -m benchmarks.callgrind FOLDER SIZE...` is what runs under it: batches of ours, called from Python and counted
with that call, and of libjpeg-turbo's in C. A profile is written behind each.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks import record
from benchmarks.libjpeg_shim import LibjpegReader, library
from shared.jpeg import Decoder, Encoder, TableSet

Value = TypeVar("Value")
WORK = ("encode", "decode", "decode_libjpeg")


def figures(pixels: Mapping[int, NDArray[np.uint8]], tables: TableSet) -> dict[str, float]:
    """Instructions a picture by what is done; empty, with a word on stderr, where valgrind is missing.

    Args:
        pixels: some pictures of each size, uint8 (n, h, w, 3).
    """
    if shutil.which("valgrind") is None:
        print("no instruction counts: `apt-get install valgrind`", file=sys.stderr)
        return {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size, some in pixels.items():
            np.save(folder / f"{size}.npy", some)
        (folder / "tables").write_bytes(tables.to_stream())
        command = ["valgrind", "--tool=callgrind", "--quiet", f"--callgrind-out-file={folder}/out"]
        subprocess.run(
            [*command, sys.executable, "-m", "benchmarks.callgrind", name, *map(str, pixels)],
            cwd=record.ROOT,
            check=True,
        )
        done = [(size, what) for size in pixels for what in WORK]
        return {
            f"instructions_{what}_{size}": total(folder / f"out.{index}") / len(pixels[size])
            for index, (size, what) in enumerate(done, 1)
        }


def total(profile: Path) -> float:
    """The instructions of one profile."""
    found = re.search(r"^totals: (\d+)", profile.read_text(), re.MULTILINE)
    assert found, f"{profile} has no totals"
    return float(found[1])


def work(folder: Path, sizes: Sequence[str]) -> None:
    """Each of WORK for all pictures of a size, size by size."""
    tables = TableSet.from_stream((folder / "tables").read_bytes())
    encoder, decoder, libjpeg = Encoder(tables), Decoder(tables), LibjpegReader(tables.to_stream())
    for size in sizes:
        pixels = np.load(folder / f"{size}.npy")
        count, height, width, _ = pixels.shape
        y = np.zeros((count, 64, height // 8, width // 8), np.int16)
        c = np.zeros((count, 128, height // 16, width // 16), np.int16)
        frames = counted(partial(encoder.encode_batch, pixels))
        errors = counted(partial(decoder.decode_batch, frames, y, c))
        assert errors == [None] * count
        counted(partial(libjpeg.seconds, frames, 1))


def counted(task: Callable[[], Value]) -> Value:
    """What the task gives; its instructions are in the next profile."""
    library().shim_forget_count()
    value = task()
    library().shim_write_count()
    return value


if __name__ == "__main__":
    work(Path(sys.argv[1]), sys.argv[2:])
