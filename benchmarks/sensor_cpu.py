"""What a picture of 640x480 costs the processor until it is safe as a frame of 224x224, beside Pillow on the same one.

Ours is what the program does of a picture that it has in memory: resize (Lanczos), encode, one durable transaction of
the spool. Pillow resizes it by its default (bicubic) or by the same Lanczos, and saves it as a JPEG file of the same
quality. Sides take turns in rounds, on one core; time is the thread's on the processor, kernel and all. Waiting for
the disk is no such time: it is the difference between the clock's time of a spool on the disk and of one in memory
(/dev/shm), for each a median of single frames.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from benchmarks.codec_pictures import Pixels
from benchmarks.rounds import Rounds, Side, measure
from benchmarks.sensor_scene import QUALITY, SIDE
from sensor_client.spool import Spool, SpoolLimits
from shared.bundle import Bundle
from shared.jpeg import Stream
from shared.pictures import fitted

MEMORY: Final = Path("/dev/shm")
SECONDS: Final = 20.0
WAITING: Final = 64
"""The spool is emptied whenever it holds so many, outside the measured time, as an uploader does."""
SYNCED: Final = 200


class Ours:
    """What the sensor does with pictures, into a spool in a folder."""

    def __init__(self, bundle: Bundle, pictures: list[Pixels], folder: Path) -> None:
        self._bundle, self._encoder = bundle, bundle.encoding.encoder()
        self._spool = Spool(folder / "spool.sqlite3", SpoolLimits())
        self._spool.keep_tables(bundle.tables.tables_id, bundle.tables.to_stream())
        self._pictures = cycle(pictures)
        self._ready = cycle([self._resized(picture) for picture in pictures])
        self._bodies = cycle([self._encoder.encode(next(self._ready), Stream.ABBREVIATED) for _ in pictures])
        self._waiting: list[int] = []

    def whole(self) -> None:
        """Resize, encode, spool."""
        self._keep(self._encoder.encode(self._resized(next(self._pictures)), Stream.ABBREVIATED))

    def resize(self) -> None:
        """The first part."""
        self._resized(next(self._pictures))

    def encode(self) -> None:
        """The second part."""
        self._encoder.encode(next(self._ready), Stream.ABBREVIATED)

    def spool(self) -> None:
        """The third part."""
        self._keep(next(self._bodies))

    def empty(self) -> None:
        """Take out what waits, if it is much."""
        if len(self._waiting) >= WAITING:
            self._spool.acknowledge(self._waiting)
            self._waiting = []

    def close(self) -> None:
        """Close the spool."""
        self._spool.close()

    def _resized(self, picture: Pixels) -> Pixels:
        size = (self._bundle.input.width, self._bundle.input.height)
        return fitted(picture, self._bundle.tables.sampling, size, self._bundle.fit)

    def _keep(self, body: bytes) -> None:
        bundle = self._bundle
        number = self._spool.append(body, 0, tables_id=bundle.tables.tables_id, target=bundle.target_path)
        self._waiting.append(number)


class Pillows:
    """Resize and save by Pillow, into a folder."""

    def __init__(self, pictures: list[Pixels], folder: Path) -> None:
        self._pictures = cycle([Image.fromarray(picture) for picture in pictures])
        self._names = cycle([folder / f"{number}.jpg" for number in range(WAITING)])

    def bicubic(self) -> None:
        """By its default."""
        next(self._pictures).resize((SIDE, SIDE)).save(next(self._names), quality=QUALITY)

    def lanczos(self) -> None:
        """By the filter that ours takes."""
        picture = next(self._pictures).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        picture.save(next(self._names), quality=QUALITY)


def costs(bundle: Bundle, pictures: list[Pixels]) -> tuple[dict[str, float], int]:
    """Microseconds of processor a frame and how many times Pillow's, in memory and on the disk; how many rounds."""
    found: dict[str, float] = {}
    rounds = 0
    for place, parent in (("memory", MEMORY), ("disk", None)):
        with tempfile.TemporaryDirectory(dir=parent) as folder:
            ours, pillow = Ours(bundle, pictures, Path(folder)), Pillows(pictures, Path(folder))
            taken = measure(_sides(ours, pillow), 1, SECONDS)
            found |= _figures(taken, place) | {f"spool_ms_{place}": _spool_milliseconds(ours)}
            ours.close()
            rounds += taken.count
    found["fsync_ms"] = found["spool_ms_disk"] - found["spool_ms_memory"]
    return found, rounds


def _sides(ours: Ours, pillow: Pillows) -> dict[str, Side]:
    parts = {"resize": ours.resize, "encode": ours.encode, "spool": ours.spool}
    sides: dict[str, Callable[[], None]] = {"ours": ours.whole, **parts}
    sides |= {"pillow": pillow.bicubic, "pillow_lanczos": pillow.lanczos}
    return {name: _timed(work, ours.empty) for name, work in sides.items()}


def _timed(work: Callable[[], None], empty: Callable[[], None]) -> Side:
    def side(repeats: int) -> float:
        spent = 0.0
        for _ in range(repeats):
            before = time.thread_time()
            work()
            spent += time.thread_time() - before
            empty()
        return spent

    return side


def _figures(taken: Rounds, place: str) -> dict[str, float]:
    microseconds = {
        f"cpu_us_{name}_{place}": 1e6 * statistics.median(seconds) for name, seconds in taken.seconds.items()
    }
    return microseconds | {
        f"cpu_vs_pillow_{place}": taken.times_faster("pillow", "ours"),
        f"cpu_vs_pillow_lanczos_{place}": taken.times_faster("pillow_lanczos", "ours"),
    }


def _spool_milliseconds(ours: Ours) -> float:
    taken = []
    for _ in range(SYNCED):
        before = time.perf_counter()
        ours.spool()
        taken.append(time.perf_counter() - before)
        ours.empty()
    return float(1e3 * np.median(taken))
