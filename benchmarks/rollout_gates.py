"""What the server's gates do with good and bad bundles, and with devices that lie: made-up rollouts, the real gates.

A fleet of 10,000 devices (`rollout_fleet` says how they differ) is led to a new bundle by way of 1 %, 5 % and 25 %.
Between two looks the mean device sends 100 frames; 1 in 100 is labelled, 1 in 200 is sent as both bundles say. A
stage is passed at the first of up to five looks at which all gates pass; where the fifth does not bring that, the
rollout pauses. In some runs 2 % of the devices, drawn by chance, report what serves them best instead of what is so:
to stop the bundle, or to have it let through; who wants to stop it tells of failures before anybody else has settled.
The good bundle saves 20 % of bytes; a bad one costs 10 points of accuracy, or 30 % more bytes, or crashes the encoder
of 30 % of the devices, which go back to the old one and report it.

Figures, of `n` rollouts of each bundle with each kind of liars: the share that was stopped, with Wilson's 95 %
interval, failed by a gate or paused; what share of the fleet the bundle had reached by then; how often a gate fails a
bundle that is exactly as bad as its limit (level 5 %), the highest share of all kinds; how often a gate fails, and how
often it passes, a harm of some size at the last look of a stage; processor milliseconds for seven gates over 10,000
devices.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import Enum
from itertools import product
from statistics import fmean
from zlib import crc32

import numpy as np

from benchmarks import record, rollout_gates_report
from benchmarks.gate_errors import counts_of, judging_ms, wrongly_failed
from benchmarks.rollout_fleet import (
    EXPECTED,
    Change,
    Flags,
    Fleet,
    Lie,
    Rng,
    no_frames,
    no_pairs,
    pairs_plus,
    plus,
    sent_twice,
    with_lies,
)
from cloud_server.rollout.counts import Counts
from cloud_server.rollout.gate_kinds import GateKind
from cloud_server.rollout.gates import Gate, Opinion, alpha_a_look, fail_rate, judge
from trainer.evaluation.intervals import wilson_interval

ROLLOUTS, TRIALS, TRIES = 500, 400, 100
DEVICES, FRAMES_A_LOOK, LOOKS = 10_000, 100, 5
LABELLED, PROBED, LYING = 0.01, 1 / 200, 0.02
FAIL_ANYWAY, MIN_DEVICES = 0.005, 20
FLEETS, LEVEL = (5, 20, 100, 1000), 0.05
AT_ONCE = 2
# 100 devices cannot say more: two that lie are as many as chance makes of 2 %, and five nothing to wonder at.
COARSE = (
    Gate(kind=GateKind.BYTES),
    Gate(kind=GateKind.FALLBACK, limit=0.02, detects=0.25),
    Gate(kind=GateKind.REFUSALS, limit=0.02, detects=0.25),
    Gate(kind=GateKind.ENCODE_TIME),
    Gate(kind=GateKind.PROBES, limit=0.05, detects=0.30),
)
FINE = tuple(Gate(kind=kind) for kind in GateKind if kind is not GateKind.LABELLED_PAIRS)
STAGES = ((0.01, 0.08, COARSE), (0.05, 0.05, FINE), (0.25, 0.05, FINE), (1.0, 0.05, FINE))
"""How much of the fleet is reached, what share of that may fail, and the gates."""
ALPHA_A_LOOK = alpha_a_look(sum(LOOKS * (len(gates) + 1) for *_, gates in STAGES))
"""What is said of outcomes counts as one more gate."""


class End(Enum):
    """How a rollout ended."""

    COMPLETE = "complete"
    FAILED = "failed"
    PAUSED = "paused"


@dataclass(frozen=True)
class Bundle:
    """A new bundle: what it does, and on what share of devices its encoder crashes."""

    change: Change
    crashes: float = 0.0


@dataclass(frozen=True)
class Ending:
    """How a rollout ended, what share of the fleet it had reached, and at which look since it began."""

    end: End
    reached: float
    look: int


BUNDLES = {
    "good": Bundle(Change(bytes_factor=0.8)),
    "accuracy": Bundle(Change(bytes_factor=0.8, wrong=0.10, differing=0.10)),
    "bytes": Bundle(Change(bytes_factor=1.3)),
    "crash": Bundle(Change(bytes_factor=0.8), crashes=0.30),
}
LIARS = {"honest": None, "stop": Lie.STOP, "let_through": Lie.LET_THROUGH}
POWER = {
    GateKind.BYTES: [Change(bytes_factor=1 + harm) for harm in rollout_gates_report.HARMS["bytes"]],
    GateKind.ACCURACY: [Change(wrong=harm) for harm in rollout_gates_report.HARMS["accuracy"]],
    GateKind.PROBES: [Change(differing=harm) for harm in rollout_gates_report.HARMS["probes"]],
}


class Rollout:
    """One rollout of a bundle to a fleet; who is reached when is drawn by chance."""

    def __init__(self, rng: Rng, bundle: Bundle, lie: Lie | None) -> None:
        self._rng, self._lie = rng, lie
        self._fleet = Fleet.drawn(rng, DEVICES)
        self._changed = self._fleet.after(rng, bundle.change)
        self._place = rng.permutation(DEVICES) / DEVICES
        self._liars = rng.random(DEVICES) < (0.0 if lie is None else LYING)
        self._fails = rng.random(DEVICES) < FAIL_ANYWAY + bundle.crashes
        self._old, self._new, self._pairs = no_frames(DEVICES), no_frames(DEVICES), no_pairs(DEVICES)

    def run(self) -> Ending:
        """Go through the stages until a gate fails or does not pass in time."""
        looks = 0
        for reached, may_fail, gates in STAGES:
            for look in range(1, LOOKS + 1):
                looks += 1
                said = self._look(self._place < reached, may_fail, gates, look)
                if Opinion.FAIL in said:
                    return Ending(End.FAILED, reached, looks)
                if Opinion.HOLD not in said:
                    break
            else:
                return Ending(End.PAUSED, reached, looks)
        return Ending(End.COMPLETE, 1.0, looks)

    def _look(self, exposed: Flags, may_fail: float, gates: Sequence[Gate], look: int) -> list[Opinion]:
        counts = self._after_more_frames(exposed & ~self._fails)
        said = [self._outcomes(exposed, may_fail)]
        for gate in gates:
            verdict = judge(gate, counts, alpha=ALPHA_A_LOOK, look=look, looks=LOOKS, expected_disagreement=EXPECTED)
            said.append(verdict.opinion)
        return said

    def _after_more_frames(self, runs_new: Flags) -> Counts:
        rng = self._rng
        sent = self._changed.sends(rng, FRAMES_A_LOOK, runs_new, LABELLED)
        pairs = sent_twice(rng, self._fleet, self._changed, rng.binomial(sent.frames, PROBED), LABELLED)
        self._old = plus(self._old, self._fleet.sends(rng, FRAMES_A_LOOK, ~runs_new, LABELLED))
        self._new, self._pairs = plus(self._new, sent), pairs_plus(self._pairs, pairs)
        counts = Counts(old=self._old, new=self._new, pairs=self._pairs)
        return counts if self._lie is None else with_lies(counts, self._liars, self._lie)

    def _outcomes(self, exposed: Flags, may_fail: float) -> Opinion:
        """What outcomes say: at first, when only those have told who want to stop it, and in the end."""
        lying = int((self._liars & exposed).sum()) if self._lie is Lie.STOP else 0
        told = np.where(self._liars, self._lie is Lie.STOP, self._fails)[exposed]
        said = [
            fail_rate(failed, settled, exposed=told.size, limit=may_fail, min_devices=MIN_DEVICES)
            for failed, settled in ((lying, lying), (int(told.sum()), told.size))
        ]
        return Opinion.FAIL if Opinion.FAIL in said else said[-1]


def main() -> int:
    """Simulate, record, draw."""
    with ProcessPoolExecutor(AT_ONCE) as pool:
        kinds = list(product(BUNDLES, LIARS))
        endings = dict(zip(kinds, pool.map(endings_of, *zip(*kinds, strict=True)), strict=True))
        errors = dict(pool.map(errors_at, FLEETS))
        power = [figure for some in pool.map(power_of, POWER) for figure in some.items()]
    figures = {"alpha_a_look": ALPHA_A_LOOK, "judge_ms_10000_devices": judging_ms(seeded("judging"), DEVICES, 21)}
    for (bundle, liars), ended in endings.items():
        figures |= {f"{key}_{bundle}_{liars}": value for key, value in told(ended).items()}
    figures |= errors | dict(power)
    record.write("rollout_gates", ROLLOUTS, figures)
    rollout_gates_report.draw(figures)
    return 0


def seeded(*of: object) -> Rng:
    """A generator of its own for whatever is named."""
    return np.random.default_rng(crc32(repr(of).encode()))


def endings_of(bundle: str, liars: str, rollouts: int = ROLLOUTS) -> list[Ending]:
    """How the rollouts of one bundle end."""
    ended = [Rollout(seeded(bundle, liars, i), BUNDLES[bundle], LIARS[liars]).run() for i in range(rollouts)]
    print(f"{bundle}, {liars}: {told(ended)}", flush=True)
    return ended


def told(ended: Sequence[Ending]) -> dict[str, float]:
    """The figures of some rollouts."""
    failed, paused = (sum(each.end is end for each in ended) for end in (End.FAILED, End.PAUSED))
    low, high = wilson_interval(failed + paused, len(ended))
    reached = [each.reached for each in ended]
    return {
        "stopped": (failed + paused) / len(ended),
        "stopped_low": low,
        "stopped_high": high,
        "failed": failed / len(ended),
        "paused": paused / len(ended),
        "reached_mean": fmean(reached),
        "reached_most": max(reached),
        "reached_over_5_percent": sum(each > 0.05 for each in reached) / len(ended),
        "looks_mean": fmean(each.look for each in ended),
    }


def errors_at(devices: int) -> tuple[str, float]:
    """The highest share, of all kinds of gates, of bundles that are failed though they are no worse than the limit."""
    shares = [
        wrongly_failed(seeded("error", devices, kind, whole), kind, devices, TRIALS, LEVEL, whole_devices=whole)
        for kind in GateKind
        for whole in (False, True)
    ]
    return f"wrongly_failed_{devices}_devices", max(shares)


def power_of(kind: GateKind) -> Mapping[str, float]:
    """How often a kind of gate fails, and does not pass, harms of several sizes at the last look of a stage."""
    return dict(_power_of(kind))


def _power_of(kind: GateKind) -> Iterator[tuple[str, float]]:
    for (reached, *_), (i, change) in product(STAGES[:-1], enumerate(POWER[kind])):
        rng, new = seeded("power", kind, reached, i), int(DEVICES * reached)
        said = []
        for _ in range(TRIES):
            counts = counts_of(rng, DEVICES - new, new, change, FRAMES_A_LOOK * LOOKS)
            verdict = judge(
                Gate(kind=kind), counts, alpha=ALPHA_A_LOOK, look=LOOKS, looks=LOOKS, expected_disagreement=EXPECTED
            )
            said.append(verdict.opinion)
        name = f"{kind}_{reached * 100:.0f}_percent_{i}"
        yield f"fails_{name}", said.count(Opinion.FAIL) / TRIES
        yield f"passes_{name}", said.count(Opinion.PASS) / TRIES


if __name__ == "__main__":
    sys.exit(main())
