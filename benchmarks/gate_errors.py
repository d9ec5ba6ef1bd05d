"""How often one gate errs, and how often it finds what is there: made-up counts of one look, for `rollout_gates`."""

from dataclasses import replace
from time import process_time

import numpy as np

from benchmarks.rollout_fleet import EXPECTED, Change, Fleet, Lie, Rng, sent_twice, with_lies
from cloud_server.rollout.counts import Counts
from cloud_server.rollout.gate_kinds import GateKind
from cloud_server.rollout.gates import Gate, Opinion, Verdict, judge

FRAMES, LABELLED, PROBED, LABELLED_PAIRS = 100, 0.01, 1 / 200, 0.5
AT_THE_LIMIT = {
    GateKind.BYTES: Change(bytes_factor=1 + Gate(kind=GateKind.BYTES).limit),
    GateKind.FALLBACK: Change(fallback=Gate(kind=GateKind.FALLBACK).limit),
    GateKind.REFUSALS: Change(refused=Gate(kind=GateKind.REFUSALS).limit),
    GateKind.ENCODE_TIME: Change(encode_factor=1 + Gate(kind=GateKind.ENCODE_TIME).limit),
    GateKind.ACCURACY: Change(wrong=Gate(kind=GateKind.ACCURACY).limit),
    GateKind.PROBES: Change(differing=Gate(kind=GateKind.PROBES).limit),
    GateKind.LABELLED_PAIRS: Change(wrong=Gate(kind=GateKind.LABELLED_PAIRS).limit),
}
"""By kind, a bundle that is exactly as bad as its gate lets be."""


def counts_of(rng: Rng, old_devices: int, new_devices: int, change: Change, frames: float = FRAMES) -> Counts:
    """What so many devices sent under each bundle, no device under both, while the mean device sent so many frames."""
    devices = old_devices + new_devices
    fleet = Fleet.drawn(rng, devices)
    changed = fleet.after(rng, change)
    is_new = np.arange(devices) >= old_devices
    new = changed.sends(rng, frames, is_new, LABELLED)
    return Counts(
        old=fleet.sends(rng, frames, ~is_new, LABELLED),
        new=new,
        pairs=sent_twice(rng, fleet, changed, rng.binomial(new.frames, PROBED), LABELLED_PAIRS),
    )


def wrongly_failed(rng: Rng, kind: GateKind, devices: int, trials: int, alpha: float, *, whole_devices: bool) -> float:
    """The share of trials in which a gate fails a bundle that is exactly as bad as it lets be.

    Args:
        devices: in each arm.
        whole_devices: the harm is that of a few devices that do nothing right any more.
    """
    change = replace(AT_THE_LIMIT[kind], hits_whole_devices=whole_devices)
    said = [opinion_of(kind, counts_of(rng, devices, devices, change), alpha).opinion for _ in range(trials)]
    return said.count(Opinion.FAIL) / trials


def wrongly_failed_by_lies(rng: Rng, kind: GateKind, devices: int, trials: int, lying: float, alpha: float) -> float:
    """The share of trials in which a gate fails a bundle that does no harm, because devices lie."""
    said = []
    for _ in range(trials):
        counts = with_lies(counts_of(rng, devices, devices, Change()), rng.random(2 * devices) < lying, Lie.STOP)
        said.append(opinion_of(kind, counts, alpha).opinion)
    return said.count(Opinion.FAIL) / trials


def opinion_of(kind: GateKind, counts: Counts, alpha: float) -> Verdict:
    """What a gate with its usual limits says at an only look."""
    return judge(Gate(kind=kind), counts, alpha=alpha, look=1, looks=1, expected_disagreement=EXPECTED)


def judging_ms(rng: Rng, devices: int, rounds: int) -> float:
    """Processor milliseconds for all kinds of gates together; the median round."""
    counts = counts_of(rng, devices // 2, devices - devices // 2, Change())
    took = []
    for _ in range(rounds):
        began = process_time()
        for kind in GateKind:
            opinion_of(kind, counts, 1e-4)
        took.append(1000 * (process_time() - began))
    return float(np.median(took))
