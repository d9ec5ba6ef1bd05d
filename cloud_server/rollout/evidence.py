"""What counts say to each kind of gate: a value and a weight a device, higher where the device does worse."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud_server.rollout.counts import Arm, Counts
from cloud_server.rollout.gate_kinds import GateKind
from cloud_server.rollout.means import Mean, Real, Sample, shares, sizes
from shared.bundle import Disagreement


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """What one gate judges by.

    Args:
        old: what devices say of the old bundle, or what is known without them; None: there is nothing to compare with.
        counted: frames, labels or pairs of the new arm.
    """

    new: Sample
    old: Sample | Mean | None
    counted: int

    @property
    def devices(self) -> int:
        """How many say anything of the new bundle."""
        return self.new.values.size

    @property
    def old_devices(self) -> int:
        """How many say anything of the old one."""
        return self.old.values.size if isinstance(self.old, Sample) else 0


def evidence(kind: GateKind, counts: Counts, expected: Disagreement | None) -> Evidence:
    """What these counts say to this kind of gate.

    Args:
        expected: what the trainer measured between exactly these two bundles.
    """
    if kind is GateKind.PROBES:
        return _probes(counts, expected)
    if kind is GateKind.LABELLED_PAIRS:
        return _labelled_pairs(counts)
    sample = _OF_AN_ARM[kind]
    counted = counts.new.labelled if kind is GateKind.ACCURACY else counts.new.frames
    return Evidence(new=sample(counts.new), old=sample(counts.old), counted=int(counted.sum()))


def _bytes(arm: Arm) -> Sample:
    return sizes(_real(arm.bytes), _real(arm.frames))


def _fallback(arm: Arm) -> Sample:
    return shares(arm.fallback, arm.frames)


def _refusals(arm: Arm) -> Sample:
    return shares(arm.refused, arm.frames + arm.refused)


def _encode_time(arm: Arm) -> Sample:
    is_known = ~np.isnan(arm.encode_seconds)
    return sizes(np.where(is_known, arm.encode_seconds, 0.0), _real(is_known))


def _accuracy(arm: Arm) -> Sample:
    return shares(arm.labelled - arm.correct, arm.labelled)


_OF_AN_ARM: dict[GateKind, Callable[[Arm], Sample]] = {
    GateKind.BYTES: _bytes,
    GateKind.FALLBACK: _fallback,
    GateKind.REFUSALS: _refusals,
    GateKind.ENCODE_TIME: _encode_time,
    GateKind.ACCURACY: _accuracy,
}


def _probes(counts: Counts, expected: Disagreement | None) -> Evidence:
    """How often the two bundles differ, and how often they did when the trainer tried them.

    One more picture each way keeps a trainer that saw no difference at all from being taken for certainty.
    """
    pairs = counts.pairs
    known = None
    if expected is not None:
        share = (expected.share * expected.n + 1) / (expected.n + 2)
        known = Mean(value=expected.share, variance=share * (1 - share) / expected.n, freedom=np.inf)
    return Evidence(new=shares(pairs.differing, pairs.pairs), old=known, counted=int(pairs.pairs.sum()))


def _labelled_pairs(counts: Counts) -> Evidence:
    """How much more often the old bundle alone is right than the new one alone: McNemar's comparison, by device."""
    pairs = counts.pairs
    new = shares(pairs.only_old_right - pairs.only_new_right, pairs.labelled, least=-1.0)
    return Evidence(new=new, old=Mean(value=0.0, variance=0.0, freedom=np.inf), counted=int(pairs.labelled.sum()))


def _real(counts: NDArray[np.int64] | NDArray[np.bool_]) -> Real:
    return counts.astype(np.float64)
