"""Counts of small fleets, made by hand, and what gates say of them."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_server.rollout.counts import Arm, Counts, Pairs
from cloud_server.rollout.gate_kinds import GateKind
from cloud_server.rollout.gates import Gate, Verdict, judge
from shared.bundle import Disagreement

EXPECTED = Disagreement(counter=6, share=0.08, n=10_000)
ALPHA = 1e-4


def arm(devices: int, **other: object) -> Arm:
    """Devices that each sent 100 frames of 150 bytes, of which 20 have labels and 18 are right; or something else."""
    usual = {"frames": 100, "bytes": 15_000, "fallback": 0, "refused": 0, "labelled": 20, "correct": 18}
    whole = {name: _whole(devices, other.get(name, value)) for name, value in usual.items()}
    seconds = np.broadcast_to(np.asarray(other.get("encode_seconds", 0.02), dtype=np.float64), (devices,))
    return Arm(**whole, encode_seconds=seconds.copy())


def pairs(devices: int, **other: object) -> Pairs:
    """Devices that each sent 25 pictures twice: 2 are answered differently; of 20 with labels each bundle wins one."""
    usual = {
        "pairs": 25,
        "differing": 2,
        "only_old_right": 1,
        "only_new_right": 1,
        "labelled": 20,
    }
    return Pairs(**{name: _whole(devices, other.get(name, value)) for name, value in usual.items()})


def counts(devices: int, *, old: Arm | None = None, new: Arm | None = None, both: Pairs | None = None) -> Counts:
    """A new bundle that is as the old one, or as said."""
    return Counts(old=old or arm(devices), new=new or arm(devices), pairs=both or pairs(devices))


def verdict(kind: GateKind, of: Counts, *, alpha: float = ALPHA, **gate: float) -> Verdict:
    """What a gate says at the third look of five."""
    return judge(Gate(kind=kind, **gate), of, alpha=alpha, look=3, looks=5, expected_disagreement=EXPECTED)


def rows(of: Counts, which: NDArray[np.intp]) -> Counts:
    """The counts of these devices, in this order."""
    return Counts(
        old=Arm(**{each.name: getattr(of.old, each.name)[which] for each in fields(Arm)}),
        new=Arm(**{each.name: getattr(of.new, each.name)[which] for each in fields(Arm)}),
        pairs=Pairs(**{each.name: getattr(of.pairs, each.name)[which] for each in fields(Pairs)}),
    )


def times(of: Counts, factor: int) -> Counts:
    """Everything that is counted, so many times."""
    return Counts(
        old=replace(of.old, **{name: getattr(of.old, name) * factor for name in _counted(Arm)}),
        new=replace(of.new, **{name: getattr(of.new, name) * factor for name in _counted(Arm)}),
        pairs=replace(of.pairs, **{name: getattr(of.pairs, name) * factor for name in _counted(Pairs)}),
    )


def joined(one: Counts, other: Counts) -> Counts:
    """The devices of both."""
    return Counts(
        old=Arm(**{each.name: _after(one.old, other.old, each.name) for each in fields(Arm)}),
        new=Arm(**{each.name: _after(one.new, other.new, each.name) for each in fields(Arm)}),
        pairs=Pairs(**{each.name: _after(one.pairs, other.pairs, each.name) for each in fields(Pairs)}),
    )


def _whole(devices: int, value: object) -> NDArray[np.int64]:
    return np.broadcast_to(np.asarray(value, dtype=np.int64), (devices,)).copy()


def _after(one: Arm | Pairs, other: Arm | Pairs, name: str) -> NDArray[Any]:
    return np.concatenate([getattr(one, name), getattr(other, name)])


def _counted(part: type[Arm] | type[Pairs]) -> list[str]:
    return [each.name for each in fields(part) if each.name != "encode_seconds"]
