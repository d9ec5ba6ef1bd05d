"""The codec against its peers, in one run: single frames, batches, threads, dequantising, encoding, instructions.

A figure `a_vs_b` says how many times faster a is than b: b's time over a's, the median over rounds in which the sides
take turns on one core, timed by processor time (`threads2_vs_1`: the ratio of the least times by the clock, on two
cores). Figures in `_us` are the least microseconds a picture, `bytes_` the mean size of a stream, `instructions_` what
callgrind counts a picture. n counts the rounds behind `decode1_32_vs_jpeg2dct`. Quality 50, 4:2:0, the same pictures
and steps for all.

The peers are no dependencies of dctwire, only of its `[bench]` extra: jpeg2dct-numpy's licence is non-commercial.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from rich.console import Console
from rich.progress import Progress

from benchmarks import callgrind, codec_pictures, codec_report, peers, record
from benchmarks.codec_sides import TABLES, Sides
from benchmarks.rounds import Rounds, Side, measure, on_clock, on_processor

SECONDS: Final = 10.0  # for the sides of one measurement together
SIZES: Final = (32, 224, 720)
Figures = dict[str, float]


def main() -> int:
    """Measure all, record."""
    cores = os.sched_getaffinity(0)
    sides = {size: Sides(size) for size in SIZES}
    steps: list[Callable[[], Figures]] = [
        *(lambda size=size: single_frames(sides[size]) for size in SIZES),
        *(lambda size=size: batches(sides[size]) for size in (32, 224)),
        lambda: dequantised(sides[224]),
        lambda: threads(sides[224], cores),
        *(lambda size=size: encoding(sides[size]) for size in SIZES),
        *(lambda size=size: optimised(sides[size]) for size in SIZES),
        lambda: stream_bytes(sides),
        lambda: instructions(sides),
        mutations,
    ]
    figures: Figures = {}
    with Progress(console=Console(stderr=True)) as progress:
        for step in progress.track(steps, description="codec"):
            os.sched_setaffinity(0, {max(cores)})
            figures |= step()
            os.sched_setaffinity(0, cores)
    codec_report.draw(figures)
    record.write(
        "codec", int(figures.pop("rounds")), figures, f"{peers.versions()}; 32x32: {codec_pictures.described()}"
    )
    return 0


def turns(sides: Mapping[str, Side], items: int) -> Rounds:
    """The sides' rounds."""
    return measure(sides, items, SECONDS)


def single_frames(sides: Sides) -> Figures:
    """A call a frame, into the caller's planes."""
    size, rounds = sides.side, turns(sides.decode_one_by_one(), len(sides.frames))
    slow = measure(sides.decode_by_jpeglib(), len(sides.files), SECONDS / 12)
    figures = {f"decode1_{size}_vs_{peer}": rounds.times_faster("ours", peer) for peer in ("jpeg2dct", "libjpeg")}
    figures |= {f"decode1_{size}_{name}_us": 1e6 * rounds.least(name) for name in rounds.seconds}
    figures[f"decode1_{size}_jpeglib_us"] = 1e6 * slow.least("jpeglib")
    return figures | ({"rounds": rounds.count} if size == SIZES[0] else {})


def batches(sides: Sides) -> Figures:
    """All frames in one call, one thread, against a loop in C over libjpeg."""
    rounds = turns({"ours": on_processor(sides.decode_batch()), "libjpeg": sides.libjpeg_in_c()}, len(sides.frames))
    return compared(f"batch_{sides.side}", rounds, "libjpeg")


def dequantised(sides: Sides) -> Figures:
    """Levels against float32 values: how many times faster levels are."""
    works = {"ours": sides.decode_batch(), "float": sides.decode_batch(np.float32)}
    rounds = turns({name: on_processor(work) for name, work in works.items()}, len(sides.frames))
    return {"int16_vs_float": rounds.times_faster("ours", "float"), "batch_224_float_us": 1e6 * rounds.least("float")}


def threads(sides: Sides, cores: set[int]) -> Figures:
    """Two threads against one, on all cores, by their least times: both cores must be free for once."""
    os.sched_setaffinity(0, cores)
    works = {"ours": on_clock(sides.decode_batch(threads=2)), "one": on_clock(sides.decode_batch())}
    rounds = turns(works, len(sides.frames))
    ratio = rounds.least("one") / rounds.least("ours")
    return {"threads2_vs_1": ratio, "batch_224_threads2_us": 1e6 * rounds.least("ours")}


def encoding(sides: Sides) -> Figures:
    """A call a picture, to abbreviated frames; the peers write interchange streams."""
    rounds = turns(sides.encode(), len(sides.pixels))
    return compared(f"encode_{sides.side}", rounds, "simplejpeg", "pillow")


def optimised(sides: Sides) -> Figures:
    """Plain encoding against rate-distortion optimised encoding: how many times faster plain is."""
    rounds = turns(sides.encode_plain_and_optimised(), len(sides.pixels))
    name = "plain_vs_rdo" if sides.side == 224 else f"plain_vs_rdo_{sides.side}"
    return {name: rounds.times_faster("plain", "rdo"), f"encode_{sides.side}_rdo_us": 1e6 * rounds.least("rdo")}


def compared(name: str, rounds: Rounds, *peers: str) -> Figures:
    """Ratios to the peers, and everyone's least time."""
    ratios = {f"{name}_vs_{peer}": rounds.times_faster("ours", peer) for peer in peers}
    return ratios | {f"{name}_{side}_us": 1e6 * rounds.least(side) for side in rounds.seconds}


def stream_bytes(sides: Mapping[int, Sides]) -> Figures:
    """Mean sizes of everyone's streams of the same pictures."""
    return {f"bytes_{size}_{name}": value for size in SIZES for name, value in sides[size].bytes_a_picture().items()}


def instructions(sides: Mapping[int, Sides]) -> Figures:
    """What callgrind counts a picture, of about as many pixels of each size."""
    some = {size: sides[size].pixels[:count] for size, count in zip(SIZES, (256, 8, 1), strict=True)}
    return callgrind.figures(some, TABLES)


def mutations() -> Figures:
    """What the last run of `codec_mutations` found."""
    campaign = record.RESULTS / "codec_mutations.json"
    found = json.loads(campaign.read_text())["figures"] if campaign.exists() else {}
    return {name: found[name] for name in ("mutated_inputs", "mutated_failures") if name in found}


if __name__ == "__main__":
    sys.exit(main())
