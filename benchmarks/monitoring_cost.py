"""What watching costs a frame: two servers alike on one core, one as it is, one that watches nothing, in turns.

What is left out of the second one: `benchmarks.unmonitored_server`. Both serve the zoo's classifier of 100 bytes in
float32, its reference measured on the pictures that are posted, to 1,000 devices: enough of them that drift is watched
at its full rate. Settings are the defaults. In a turn, frames come to one of the servers while the other one rests, for
so long that what is put off is done, too: ordinary JPEG is weighed every five seconds, sums are written. All processor
time of the server's process meanwhile counts. Turns follow each other in pairs, each beginning with the other server.

`single_cost_percent`, `batch32_cost_percent`: the median over the pairs of how much more processor time a frame takes
with everything on. n counts the pairs of each way of posting. Nothing is scraped meanwhile: see `benchmarks.scrape`.
"""

import argparse
import os
import secrets
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import codec_pictures, record
from benchmarks.bundle_frames import BundleFrames
from benchmarks.fleet_server import write_devices
from benchmarks.load import FIRST_NUMBER, NUMBERS_A_RUN, Plan, Request, run
from benchmarks.pinned_server import PinnedServer
from cloud_server.fleet.secrets import new_device_id
from shared.bundle import BUNDLE_NAME, Reference
from trainer.data.dataset import Split
from trainer.export.bundle import Exportable, read_bundle
from trainer.export.drift import drift_of
from trainer.export.reference import BASELINE_QUALITY, baseline_factor_of

SOURCE = record.ROOT / "trainer" / "zoo" / "cifar100-100"
SERVER_CORE, LOAD_CORE = 0, 1
DEVICES, BATCH = 1_000, 32
CONNECTIONS = {"single": 8, "batch32": 4}
TEMPERATURE = 1.5
LIMIT_PERCENT = 3.0
Devices = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Scale:
    """How long a run is: pairs of turns of each way of posting, and seconds of frames in a turn."""

    pairs: int
    seconds: float


WHOLE, QUICK = Scale(pairs=12, seconds=10.0), Scale(pairs=4, seconds=5.0)


def main() -> None:
    """Measure and tell; `--out` writes the record."""
    options = argparse.ArgumentParser(description="What watching costs a frame.")
    options.add_argument("--quick", action="store_true", help="a try of three minutes")
    options.add_argument("--out", action="store_true", help="write benchmarks/results/monitoring_cost.json")
    chosen = options.parse_args()
    scale = QUICK if chosen.quick else WHOLE
    figures = measure(scale)
    for name, value in figures.items():
        print(f"{name:32} {value:12.5g}")
    print(f"limit: {LIMIT_PERCENT} %")
    if chosen.out:
        record.write("monitoring_cost", scale.pairs, figures, f"both servers on one; {codec_pictures.described()}")


def measure(scale: Scale) -> Mapping[str, float]:
    """All figures."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "bundle"
        write_referenced(SOURCE, folder)
        frames = BundleFrames(folder)
        devices = [(new_device_id(), secrets.token_urlsafe(16)) for _ in range(DEVICES)]
        prepare = partial(write_devices, devices, frames.bundle.family)
        programs = {"watching": "cloud_server.command", "control": "benchmarks.unmonitored_server"}
        sides = {}
        for name, program in programs.items():
            server = stack.enter_context(PinnedServer(SERVER_CORE, prepare=prepare, program=program))
            server.publish(folder)
            server.assign(frames.bundle.family, frames.bundle.counter)
            sides[name] = Side(server, frames, devices, scale.seconds)
        figures: dict[str, float] = {}
        for way in CONNECTIONS:
            figures |= _in_pairs(sides, way, scale.pairs)
        return figures


def write_referenced(source: Path, target: Path) -> None:
    """A bundle folder in float32 alone, with a reference that was measured on the pictures that are posted."""
    bundle, files = read_bundle(source)
    pixels = codec_pictures.pictures(bundle.input.width)
    pictures = Split(pixels, np.zeros(len(pixels), np.int64))
    content = Exportable(
        encoding=bundle.encoding,
        model=files.model,
        labels=files.labels,
        height=bundle.input.height,
        width=bundle.input.width,
    )
    reference = Reference(
        temperature=TEMPERATURE,
        drift=drift_of(content, pictures, TEMPERATURE),
        baseline_factor=baseline_factor_of(bundle.encoding, BASELINE_QUALITY, pictures),
    )
    whole = replace(files, int8=None, reference=reference)
    whole.write(target, BUNDLE_NAME, bundle.model_copy(update={"classifier": whole.ref}).to_bytes())


class Side:
    """One of the servers, and what is posted to it."""

    def __init__(self, server: PinnedServer, frames: BundleFrames, devices: Devices, seconds: float) -> None:
        self.server = server
        self._seconds = seconds
        self._first_number = FIRST_NUMBER
        tokens = [token for _, token in devices]
        singles = [_nth(frames.singles(token), which) for which, token in enumerate(tokens)]
        batches = [_nth(frames.batches(token, BATCH), which) for which, token in enumerate(tokens)]
        self._requests = {"single": singles, "batch32": batches}

    def turn(self, way: str) -> float:
        """Post for some seconds; what a frame cost the server, in microseconds of its processor."""
        host, port = self.server.device_address
        self._first_number += NUMBERS_A_RUN
        connections = CONNECTIONS[way]
        plan = Plan(
            host=host,
            port=port,
            clients=tuple(tuple(self._requests[way][which::connections]) for which in range(connections)),
            seconds=self._seconds,
            warm_seconds=0.0,
            first_number=self._first_number,
            core=LOAD_CORE,
        )
        before = self.server.cpu_seconds()
        report = run(plan)
        if report.failed or report.closed:
            raise RuntimeError(f"not every request was answered: {report}")
        return 1e6 * (self.server.cpu_seconds() - before) / report.frames


def _nth(requests: Sequence[Request], which: int) -> Request:
    return requests[which % len(requests)]


def _in_pairs(sides: Mapping[str, Side], way: str, pairs: int) -> dict[str, float]:
    """What a frame costs on each side, and how much more on the one that watches."""
    for side in sides.values():
        side.turn(way)  # not counted
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for pair in range(pairs):
        for name in sorted(sides, reverse=pair % 2 == 1):
            spent[name].append(sides[name].turn(way))
    ratios = [with_it / without for with_it, without in zip(spent["watching"], spent["control"], strict=True)]
    return {
        f"{way}_us_watching": statistics.median(spent["watching"]),
        f"{way}_us_control": statistics.median(spent["control"]),
        f"{way}_cost_percent": 100 * (statistics.median(ratios) - 1),
    }


if __name__ == "__main__":
    os.sched_setaffinity(0, {LOAD_CORE})
    main()
