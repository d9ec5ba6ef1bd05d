"""What serving costs beyond inference: whole requests against bare ONNX Runtime on the same core.

The server is pinned to one core with one classifying thread, the load generator (`benchmarks.load`) to another. Each
round measures every side for some seconds, one after the other, each round beginning with another one: bare ONNX
Runtime on frames decoded beforehand, on the server's core while it rests; batches of 32 frames over 4 connections;
single frames over 1, 8 and 64. The net is in float32 on both sides. Every device sends frames with numbers of their
own, every answer is checked.

`batch32_vs_bare_ort`: frames a second end to end as a share of bare ONNX Runtime's in batches of 32, by the clock;
`batch32_cpu_vs_bare_ort`: the same by the server's processor time. `single_post_overhead_us`: the server's processor
time a frame over 8 connections, less inference: the least time of bare ONNX Runtime at the mean size of the batches
that occurred, interpolated. So inference is charged at its best; decoding, cold caches and storing are overhead.
n counts the rounds. Figures of hot swaps under load, in the same record: `benchmarks.serving_swaps`.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import codec_pictures, record, serving_swaps
from benchmarks.bundle_frames import BundleFrames
from benchmarks.load import FIRST_NUMBER, NUMBERS_A_RUN, Plan, Request, run
from benchmarks.pinned_server import PinnedServer
from benchmarks.serving_vs_peers import without_int8

FOLDER = record.ROOT / "trainer" / "zoo" / "cifar100-100"
SERVER_CORE, LOAD_CORE = 0, 1
ROUNDS = 7
SECONDS = 2.0
BATCH = 32
BATCH_CONNECTIONS = 4
SINGLES = (1, 8, 64)
SIZES = (1, 2, 4, 8, 16, 32)
BARE_SECONDS = 0.5


@dataclass(frozen=True)
class Measured:
    """One side in one round; `frames_a_batch` is the mean size of the batches that were classified."""

    frames_per_second: float
    cpu_us_a_frame: float
    frames_a_batch: float
    latency_ms: Mapping[str, float] = field(default_factory=dict)


Side = Callable[[], Measured]
Rounds = Mapping[str, Sequence[Measured]]


def main() -> int:
    """Measure in turns, record."""
    os.sched_setaffinity(0, {SERVER_CORE})  # this process runs bare ONNX Runtime, while the server rests
    with tempfile.TemporaryDirectory() as folder, PinnedServer(SERVER_CORE) as server:
        plain = without_int8(FOLDER, Path(folder) / "fp32")
        server.publish(plain)
        frames = BundleFrames(plain)
        rounds = in_turns(sides_of(Loaded(server, frames), frames))
    figures = figures_of(rounds) | serving_swaps.measure()
    record.write("serving", ROUNDS, figures, f"the server on one; {codec_pictures.described()}")
    return 0


class Loaded:
    """A server under load."""

    def __init__(self, server: PinnedServer, frames: BundleFrames) -> None:
        self._server = server
        family = frames.bundle.family
        tokens = [server.enrol(family) for _ in range(max(SINGLES))]
        self._singles = [frames.singles(token) for token in tokens]
        self._batches = [frames.batches(token, BATCH) for token in tokens[:BATCH_CONNECTIONS]]
        self._first_number = FIRST_NUMBER

    def with_batches(self) -> Measured:
        """Batches of 32."""
        return self._with(self._batches)

    def with_singles(self, connections: int) -> Measured:
        """Single frames."""
        return self._with(self._singles[:connections])

    def _with(self, clients: Sequence[tuple[Request, ...]]) -> Measured:
        host, port = self._server.device_address
        plan = Plan(
            host=host,
            port=port,
            clients=tuple(clients),
            seconds=SECONDS,
            first_number=self._first_number,
            core=LOAD_CORE,
        )
        self._first_number += NUMBERS_A_RUN
        frames, batches = self._classified()
        cpu_seconds = self._server.cpu_seconds()
        report = run(plan)
        cpu_seconds = self._server.cpu_seconds() - cpu_seconds
        if report.failed or report.closed:
            raise RuntimeError(f"not every request was answered: {report}")
        frames, batches = (now - before for now, before in zip(self._classified(), (frames, batches), strict=True))
        return Measured(report.frames_per_second, 1e6 * cpu_seconds / frames, frames / batches, report.latency_ms)

    def _classified(self) -> list[float]:
        """Frames and batches so far."""
        return self._server.metrics("dctwire_batch_frames_sum", "dctwire_batch_frames_count")


def bare(frames: BundleFrames, size: int) -> Measured:
    """ONNX Runtime alone, in batches of `size`."""
    starts = range(0, len(frames.labels) - size + 1, size)
    count, began, cpu_began = 0, time.perf_counter(), time.thread_time()
    while time.perf_counter() < began + BARE_SECONDS:
        for start in starts:
            frames.run_bare(size, start)
        count += size * len(starts)
    cpu_us = 1e6 * (time.thread_time() - cpu_began) / count
    return Measured(count / (time.perf_counter() - began), cpu_us, size)


def sides_of(loaded: Loaded, frames: BundleFrames) -> dict[str, Side]:
    """Everything that takes part, by name."""
    sides: dict[str, Side] = {f"bare{size}": partial(bare, frames, size) for size in SIZES}
    sides["batch"] = loaded.with_batches
    return sides | {f"single{connections}": partial(loaded.with_singles, connections) for connections in SINGLES}


def in_turns(sides: Mapping[str, Side]) -> Rounds:
    """Every side once a round."""
    rounds: dict[str, list[Measured]] = {name: [] for name in sides}
    names = list(sides)
    for _ in range(ROUNDS):
        for name in names:
            rounds[name].append(sides[name]())
        names.append(names.pop(0))
    return rounds


def figures_of(rounds: Rounds) -> dict[str, float]:
    """What is recorded."""
    ready, whole = rounds[f"bare{BATCH}"], rounds["batch"]
    figures = {
        "bare_ort_fps_batch32": statistics.median(one.frames_per_second for one in ready),
        "batch32_fps": statistics.median(one.frames_per_second for one in whole),
        "batch32_vs_bare_ort": statistics.median(
            ours.frames_per_second / theirs.frames_per_second for ours, theirs in zip(whole, ready, strict=True)
        ),
        "batch32_cpu_vs_bare_ort": statistics.median(
            theirs.cpu_us_a_frame / ours.cpu_us_a_frame for ours, theirs in zip(whole, ready, strict=True)
        ),
    }
    for connections in SINGLES:
        measured = rounds[f"single{connections}"]
        name = "" if connections == 8 else f"_{connections}_connections"
        figures[f"single_post_overhead_us{name}"] = statistics.median(overhead_us(one, rounds) for one in measured)
    for connections in SINGLES:
        measured = rounds[f"single{connections}"]
        name = f"single_{connections}_connections"
        figures[f"{name}_fps"] = statistics.median(one.frames_per_second for one in measured)
        figures[f"{name}_frames_a_batch"] = statistics.median(one.frames_a_batch for one in measured)
        for percentile in ("50", "99"):
            figures[f"{name}_p{percentile}_ms"] = statistics.median(one.latency_ms[percentile] for one in measured)
    return figures


def overhead_us(measured: Measured, rounds: Rounds) -> float:
    """Processor time a frame beyond what bare ONNX Runtime needs at this mean batch size, at its best."""
    of_batch_us = [size * min(one.cpu_us_a_frame for one in rounds[f"bare{size}"]) for size in SIZES]
    inference_us = float(np.interp(measured.frames_a_batch, SIZES, of_batch_us)) / measured.frames_a_batch
    return measured.cpu_us_a_frame - inference_us


if __name__ == "__main__":
    sys.exit(main())
