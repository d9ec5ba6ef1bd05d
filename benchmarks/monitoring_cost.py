"""What watching costs a frame: servers alike on one core, one as it is, two that watch nothing, in turns.

What is left out of those two: `benchmarks.unmonitored_server`. All serve the zoo's classifier of 100 bytes in float32,
its reference measured on the pictures that are posted, to 1,000 devices: enough of them that drift is watched at its
full rate. Settings are the defaults. In a turn, frames come to one of the servers while the others rest, for so long
that what is put off is done, too: ordinary JPEG is weighed every five seconds, sums are written. All processor time of
the server's process meanwhile counts. Turns follow each other in rounds of all servers, each in another order, and
after some rounds all servers are started anew: two processes of the same program differ by some percent for as long as
they live, by where their memory lies.

`single_cost_percent`, `batch32_cost_percent`: how much more processor time a frame takes with everything on; the median
over the rounds, each against the mean of the two that watch nothing. `*_noise_percent`: half the difference of those
two, its median over the rounds without a sign: what this machine cannot tell apart. n counts the rounds of each way of
posting. Nothing is scraped meanwhile: see `benchmarks.scrape`.
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
Spent = Mapping[str, float]
"""Microseconds of the processor that a frame took, by server."""


@dataclass(frozen=True)
class Scale:
    """How long a run is: how often servers are started, rounds of turns with each, and seconds of frames in a turn."""

    starts: int
    rounds: int
    seconds: float


WHOLE, QUICK = Scale(starts=5, rounds=2, seconds=6.0), Scale(starts=2, rounds=1, seconds=4.0)
PROGRAMS = {
    "watching": "cloud_server.command",
    "control": "benchmarks.unmonitored_server",
    "again": "benchmarks.unmonitored_server",
}


def main() -> None:
    """Measure and tell; `--out` writes the record."""
    options = argparse.ArgumentParser(description="What watching costs a frame.")
    options.add_argument("--quick", action="store_true", help="a try of two minutes")
    options.add_argument("--out", action="store_true", help="write benchmarks/results/monitoring_cost.json")
    chosen = options.parse_args()
    scale = QUICK if chosen.quick else WHOLE
    figures = measure(scale)
    for name, value in figures.items():
        print(f"{name:32} {value:12.5g}")
    print(f"limit: {LIMIT_PERCENT} %")
    n = scale.starts * scale.rounds
    if chosen.out:
        record.write("monitoring_cost", n, figures, f"all servers on one; {codec_pictures.described()}")


def measure(scale: Scale) -> Mapping[str, float]:
    """All figures."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory) / "bundle"
        write_referenced(SOURCE, folder)
        frames = BundleFrames(folder)
        spent: dict[str, list[Spent]] = {way: [] for way in CONNECTIONS}
        for start in range(scale.starts):
            for way, rounds in _of_fresh_servers(folder, frames, scale, start).items():
                spent[way] += rounds
        return {name: value for way in CONNECTIONS for name, value in _figures(way, spent[way]).items()}


def _of_fresh_servers(folder: Path, frames: BundleFrames, scale: Scale, start: int) -> Mapping[str, list[Spent]]:
    """What a frame costs each of the servers, round by round, by the way of posting."""
    devices = [(new_device_id(), secrets.token_urlsafe(16)) for _ in range(DEVICES)]
    prepare = partial(write_devices, devices, frames.bundle.family)
    with ExitStack() as stack:
        sides = {}
        names = sorted(PROGRAMS, reverse=start % 2 == 1)
        for name in names:
            server = stack.enter_context(PinnedServer(SERVER_CORE, prepare=prepare, program=PROGRAMS[name]))
            server.publish(folder)
            server.assign(frames.bundle.family, frames.bundle.counter)
            sides[name] = Side(server, frames, devices, scale.seconds)
        found: dict[str, list[Spent]] = {}
        for way in CONNECTIONS:
            for side in sides.values():
                side.turn(way)  # not counted
            orders = [names[turn % 3 :] + names[: turn % 3] for turn in range(start, start + scale.rounds)]
            found[way] = [{name: sides[name].turn(way) for name in order} for order in orders]
        return found


def _figures(way: str, rounds: Sequence[Spent]) -> Mapping[str, float]:
    """What a frame costs with everything on and without, and how much more that is."""
    without = [(each["control"] + each["again"]) / 2 for each in rounds]
    ratios = [each["watching"] / other for each, other in zip(rounds, without, strict=True)]
    apart = [abs(each["control"] - each["again"]) / 2 / other for each, other in zip(rounds, without, strict=True)]
    return {
        f"{way}_us_watching": statistics.median(each["watching"] for each in rounds),
        f"{way}_us_control": statistics.median(without),
        f"{way}_cost_percent": 100 * (statistics.median(ratios) - 1),
        f"{way}_noise_percent": 100 * statistics.median(apart),
    }


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


if __name__ == "__main__":
    os.sched_setaffinity(0, {LOAD_CORE})
    main()
