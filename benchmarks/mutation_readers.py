"""Every entry point that reads a stream, held to its promise on one group of damaged inputs after another.

`python -m benchmarks.mutation_readers SEED GROUP COUNT FOLDER` reads that many groups from that one on and leaves what
became of them in FOLDER; it is how a failure of `benchmarks.codec_mutations` is seen again.
"""

import json
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from shared.errors import PeerError
from shared.jpeg import (
    Coefficients,
    Decoder,
    Encoder,
    Fit,
    FitMode,
    Quantisation,
    RateDistortion,
    Resize,
    Sampling,
    Stream,
    TableSet,
    Transcoder,
    exif_orientation,
    inspect,
)
from shared.jpeg.errors import ContainedFaultError
from tests.fuzz.jpeg_mutations import Corpus
from tests.fuzz.jpeg_sources import TABLES, sources
from tests.shared.jpeg import pictures

GROUP = 32
LIMIT_NS = 50_000_000
# What takes longer is timed three times more: on a busy machine any input may look slow once.
SUSPECT_NS = LIMIT_NS // 10
# Above what the process has mapped when it begins; two threads' arenas are 128 MiB of it.
MEMORY_BYTES = 512 << 20
CODE_EVERY = 16
# What is transcoded to: other steps, wide dead zones, and the slowest choice of levels there is.
COARSE = TableSet.standard(30)
THRIFTY = Quantisation(rounding=0.4, rdo=RateDistortion(multiplier=5.0))


def main(seed: int, first: int, count: int, folder: Path) -> None:
    """Read the groups; `at` in the folder always tells the one being read, `<first>.json` the end."""
    readers, outcome = Readers(seed), Outcome()
    if "asan" not in os.environ.get("LD_PRELOAD", ""):  # whose shadow memory passes any limit
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY_BYTES,) * 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    current = os.open(folder / f"{first}.at", os.O_WRONLY | os.O_CREAT)
    for group in range(first, first + count):
        os.pwrite(current, b"%-20d" % group, 0)
        outcome.add(readers.read(group))
    outcome.peak_bytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    (folder / f"{first}.json").write_text(json.dumps(vars(outcome)))


@dataclass
class Outcome:
    """What became of some inputs; outcomes add up. A failure: seed, the input's number, what happened."""

    inputs: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest_ns: int = 0
    peak_bytes: int = 0

    def add(self, other: "Outcome") -> None:
        """Take over another outcome's counts and extremes."""
        self.inputs += other.inputs
        self.counts += other.counts
        self.failures += other.failures
        self.slowest_ns = max(self.slowest_ns, other.slowest_ns)
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)


class Readers:
    """Everything that `read` needs: damaged inputs by number, decoders, planes for the batches."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.corpus = Corpus(sources())
        self.decoder = Decoder(TABLES)
        self.row = np.empty((1, 64, 4, 4), np.int16), np.empty((1, 128, 2, 2), np.int16)
        self.coarse = Decoder(COARSE)
        self.bound = self.decoder.into(*self.row)
        rows = np.stack([pictures.natural(32, 32, index) for index in range(2)])
        self.good = Encoder(TABLES).encode_batch(rows)
        self.readers: dict[str, Callable[[bytes], Any]] = {
            "decode": self.decoder.decode,
            "afresh": lambda data: Decoder(TABLES).decode(data),
            "into": self._decode_into,
            "inspect": inspect,
            "tables": TableSet.from_stream,
            "transcode": Transcoder(COARSE, quantisation=THRIFTY, source=TABLES).transcode,
            "resize": Transcoder(COARSE, quantisation=THRIFTY, source=TABLES, resize=Resize(32, 48)).transcode,
            "levels": Transcoder(COARSE, source=TABLES, resize=Resize(32, 32, Fit(FitMode.STRETCH))).levels,
            "exif": exif_orientation,
        }

    def inputs(self, group: int) -> list[bytes]:
        """The group's damaged streams: the same for the same seed and number."""
        rng = Random(self.seed << 40 | group)
        return [self.corpus.mutated(rng) for _ in range(GROUP)]

    def read(self, group: int) -> Outcome:
        """Feed one group to every entry point, each input alone and all of them as a batch."""
        outcome, inputs = Outcome(GROUP), self.inputs(group)
        found = [self._alone(data, group * GROUP + at, outcome) for at, data in enumerate(inputs)]
        try:
            self._together(inputs, found, group, outcome)
        except Exception as error:  # noqa: BLE001 (whatever it is, it was not promised)
            outcome.failures.append(f"{self.seed} {group * GROUP} batch: {error!r}")
        return outcome

    def _alone(self, data: bytes, index: int, outcome: Outcome) -> Coefficients | None:
        """What `decode` makes of it; every reader has ended in a value or a documented error, in time."""
        started = time.thread_time_ns()
        found = {name: self._try(name, data, index, outcome) for name in self.readers}
        spent = time.thread_time_ns() - started
        for _ in range(3 if spent > SUSPECT_NS else 0):
            started = time.thread_time_ns()
            for name in self.readers:
                self._try(name, data, index, Outcome())
            spent = min(spent, time.thread_time_ns() - started)
        if spent > LIMIT_NS:
            outcome.failures.append(f"{self.seed} {index} takes {spent / 1e6:.0f} ms")
        outcome.slowest_ns = max(outcome.slowest_ns, spent)
        for wrong in self._disagreements(found, index, outcome):
            outcome.failures.append(f"{self.seed} {index} {wrong}")
        levels: Coefficients | None = found["decode"]
        return levels

    def _try(self, name: str, data: bytes, index: int, outcome: Outcome) -> Any:
        """The reader's value, or None for a documented error; anything else is a failure."""
        try:
            value = self.readers[name](data)
        except ContainedFaultError:
            outcome.failures.append(f"{self.seed} {index} {name}: a fault was contained")
        except PeerError as error:
            outcome.counts[f"{name} {type(error).__name__}"] += 1
        except Exception as error:  # noqa: BLE001 (whatever it is, it was not promised)
            outcome.failures.append(f"{self.seed} {index} {name}: {error!r}")
        else:
            outcome.counts[f"{name} value"] += 1
            return value
        return None

    def _decode_into(self, data: bytes) -> list[Any]:
        """What the decoder bound to one row makes of it."""
        self.bound.decode(data)
        return [plane[0].copy() for plane in self.row]

    def _disagreements(self, found: dict[str, Any], index: int, outcome: Outcome) -> Iterator[str]:
        """What the readers made of one input, held against each other."""
        levels, afresh, info = found["decode"], found["afresh"], found["inspect"]
        if (levels is None) != (afresh is None) or (levels is not None and not is_same(levels, afresh)):
            yield "a decoder remembers what it should not"
        if found["into"] is not None and (wrong := wrong_row(found["into"], None, levels, dequantise=False)):
            yield f"into: {wrong}"
        if levels is None:
            return
        if info is None or (info.height, info.width, info.sampling) != (levels.height, levels.width, levels.sampling):
            yield "decode and inspect disagree"
        yield from self._disagreements_of_transcoded(levels, found["transcode"])
        if found["resize"] is None or found["levels"] is None:
            yield "resizing refuses what decode reads"
        elif self.coarse.decode(found["resize"]).planes[0].shape != (64, 4, 6):
            yield "resized, it has another size"
        is_a_row = (levels.height, levels.width, levels.sampling) == (32, 32, Sampling.YUV420)
        if is_a_row and levels.quant == TABLES.quant and found["into"] is None:
            yield "into refuses what decode reads"
        if index % CODE_EVERY == 0:
            standard = TableSet.standard(sampling=levels.sampling).with_quant(levels.quant)
            try:
                again = Decoder().decode(Encoder(standard).encode_coefficients(levels, Stream.INTERCHANGE))
            except ValueError:  # levels that 8-bit baseline has no codes for
                outcome.counts["code ValueError"] += 1
            else:
                outcome.counts["code value"] += 1
                if not is_same(levels, again):
                    yield "coded anew, the levels are others"

    def _disagreements_of_transcoded(self, levels: Coefficients, frame: bytes | None) -> Iterator[str]:
        """A transcoded frame has the size of the one it was made from, and the steps it was made for."""
        if frame is None:
            yield "transcode refuses what decode reads"
            return
        made = self.coarse.decode(frame)
        if (made.height, made.width, made.quant) != (levels.height, levels.width, COARSE.quant):
            yield "transcoded, it is another frame"

    def _together(self, inputs: list[bytes], decoded: list[Coefficients | None], group: int, outcome: Outcome) -> None:
        """Batches of the group with two good frames among it: rows as decoded alone, zeros for errors."""
        places = (group % (GROUP + 1), GROUP + 1)
        frames, alone = inputs.copy(), decoded.copy()
        for place, frame in zip(places, self.good, strict=True):
            frames.insert(place, frame)
            alone.insert(place, self.decoder.decode(frame))
        levels, values = planes(np.int16), planes(np.float32)
        started = time.thread_time_ns()
        errors = self.decoder.decode_batch(frames, *levels)
        if time.thread_time_ns() - started > len(frames) * LIMIT_NS:
            outcome.failures.append(f"{self.seed} {group * GROUP} the batch takes too long")
        value_errors = self.decoder.decode_batch(frames, *values, dequantise=True, threads=2)
        for name, found in (("batch", errors), ("dequantise", value_errors)):
            outcome.counts.update(f"{name} {'value' if error is None else type(error).__name__}" for error in found)
        for at, (level_error, value_error) in enumerate(zip(errors, value_errors, strict=True)):
            wrong = (
                wrong_row([plane[at] for plane in levels], level_error, alone[at], dequantise=False)
                or wrong_row([plane[at] for plane in values], value_error, alone[at], dequantise=True)
                or ("a good frame suffered" if at in places and (level_error or value_error) else None)
            )
            if wrong:
                outcome.failures.append(f"{self.seed} {group * GROUP + at - (at > places[0])} batch: {wrong}")


def is_same(one: Coefficients, other: Coefficients) -> bool:
    """Whether two frames have the same size, steps and levels."""
    heads = [(frame.height, frame.width, frame.sampling, frame.quant) for frame in (one, other)]
    return heads[0] == heads[1] and all(map(np.array_equal, one.planes, other.planes))


def wrong_row(row: list[Any], error: PeerError | None, alone: Coefficients | None, *, dequantise: bool) -> str | None:
    """What is wrong with the row of a frame that `decode` made `alone` of."""
    if isinstance(error, ContainedFaultError):
        return "a fault was contained"
    if error is not None:
        return "an error left something in its row" if row[0].any() or row[1].any() else None
    if alone is None:
        return "the batch reads what decode refuses"
    if alone.sampling is not Sampling.YUV420:
        return None if dequantise else "levels of another sampling"
    expected = [scaled(*pair) if dequantise else pair[0] for pair in zip(alone.planes, alone.quant, strict=True)]
    is_equal = np.array_equal(row[0], expected[0]) and np.array_equal(row[1], np.concatenate(expected[1:]))
    return None if is_equal else "the row is not the frame's"


def scaled(plane: Any, quant: bytes) -> Any:
    """Levels times steps, float32."""
    return plane * np.frombuffer(quant, np.uint8).astype(np.float32).reshape(64, 1, 1)


def planes(dtype: type) -> tuple[Any, Any]:
    """Planes of a batch of 32x32 frames, full of what must not stay."""
    return np.full((GROUP + 2, 64, 4, 4), 77, dtype), np.full((GROUP + 2, 128, 2, 2), 77, dtype)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
