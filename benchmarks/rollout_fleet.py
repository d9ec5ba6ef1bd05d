"""A made-up fleet whose devices differ as those in the field do, some of which lie; for `rollout_gates` and tests.

Devices send different numbers of frames (log-normal, sd of logarithms 0.5), of different sizes (0.3) and at different
speeds (0.5). Each has its own accuracy (beta, mean 0.9, sd 0.1) and its own shares of fallback frames, refused frames
and pairs that differ (beta, means 0.5 %, 0.2 % and 8 %, correlation within a device 0.05).
"""

from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cloud_server.rollout.counts import Arm, Counts, Pairs
from shared.bundle import Disagreement

ACCURACY, ACCURACY_SD = 0.9, 0.1
FRAMES_SD, BYTES_SD, ENCODE_SD = 0.5, 0.3, 0.5
BYTES_A_FRAME, ENCODE_SECONDS = 150.0, 0.02
FALLBACK, REFUSED, ALIKE = 0.005, 0.002, 0.05
EXPECTED = Disagreement(counter=1, share=0.08, n=10_000)
LIES_TIMES = 100
"""How many times too large or small a device that lies says that things are."""
Real = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]
Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Change:
    """What the new bundle does; as it stands, nothing.

    Args:
        bytes_factor, encode_factor: times what it was.
        fallback, refused, wrong, differing: shares that come on top.
        hits_whole_devices: these shares are devices that do nothing right any more, instead of a little of each.
    """

    bytes_factor: float = 1.0
    encode_factor: float = 1.0
    fallback: float = 0.0
    refused: float = 0.0
    wrong: float = 0.0
    differing: float = 0.0
    hits_whole_devices: bool = False


class Lie(Enum):
    """What devices that lie want of the new bundle."""

    STOP = "stop"
    LET_THROUGH = "let through"


@dataclass(frozen=True, kw_only=True, eq=False)
class Fleet:
    """Devices, each as it is under one bundle; every array has the shape (devices,).

    Args:
        frames: how many it sends while the mean device sends one.
        wrong, fallback, refused, differing: shares.
    """

    frames: Real
    bytes: Real
    encode_seconds: Real
    wrong: Real
    fallback: Real
    refused: Real
    differing: Real

    @classmethod
    def drawn(cls, rng: Rng, devices: int) -> Self:
        """A fleet of so many devices, under the old bundle."""
        return cls(
            frames=rng.lognormal(-(FRAMES_SD**2) / 2, FRAMES_SD, devices),
            bytes=BYTES_A_FRAME * rng.lognormal(-(BYTES_SD**2) / 2, BYTES_SD, devices),
            encode_seconds=ENCODE_SECONDS * rng.lognormal(0, ENCODE_SD, devices),
            wrong=_shares(rng, 1 - ACCURACY, ACCURACY_SD**2 / (ACCURACY * (1 - ACCURACY)), devices),
            fallback=_shares(rng, FALLBACK, ALIKE, devices),
            refused=_shares(rng, REFUSED, ALIKE, devices),
            differing=_shares(rng, EXPECTED.share, ALIKE, devices),
        )

    def after(self, rng: Rng, change: Change) -> Self:
        """The same devices under the new bundle."""
        worse = _some_are_all_wrong if change.hits_whole_devices else _all_are_worse
        return replace(
            self,
            bytes=self.bytes * change.bytes_factor,
            encode_seconds=self.encode_seconds * change.encode_factor,
            wrong=worse(rng, self.wrong, change.wrong, 1 - ACCURACY),
            fallback=worse(rng, self.fallback, change.fallback, FALLBACK),
            refused=worse(rng, self.refused, change.refused, REFUSED),
            differing=worse(rng, self.differing, change.differing, EXPECTED.share),
        )

    def sends(self, rng: Rng, frames: float, who: Flags, labelled_share: float) -> Arm:
        """What those devices send while the mean device sends so many frames."""
        sent = np.where(who, rng.poisson(frames * self.frames), 0)
        labelled = rng.binomial(sent, labelled_share)
        return Arm(
            frames=sent,
            bytes=np.rint(sent * self.bytes).astype(np.int64),
            fallback=rng.binomial(sent, self.fallback),
            refused=rng.binomial(sent, self.refused),
            labelled=labelled,
            correct=labelled - rng.binomial(labelled, self.wrong),
            encode_seconds=np.where(sent > 0, self.encode_seconds, np.nan),
        )


def sent_twice(rng: Rng, old: Fleet, new: Fleet, pairs: Whole, labelled_share: float) -> Pairs:
    """What so many pictures of each device show that it sends as both bundles say."""
    labelled = rng.binomial(pairs, labelled_share)
    only_old = rng.binomial(labelled, np.clip(old.differing / 2 + new.wrong - old.wrong, 0, 1))
    return Pairs(
        pairs=pairs,
        differing=rng.binomial(pairs, new.differing),
        only_old_right=only_old,
        only_new_right=rng.binomial(labelled - only_old, old.differing / 2),
        labelled=labelled,
    )


def with_lies(counts: Counts, liars: Flags, lie: Lie) -> Counts:
    """The counts with what some devices say made up, as much in favour of what they want as counts can be."""
    praised, blamed = (counts.old, counts.new) if lie is Lie.STOP else (counts.new, counts.old)
    best, worst = _best(praised, liars), _worst(blamed, liars)
    old, new = (best, worst) if lie is Lie.STOP else (worst, best)
    return Counts(old=old, new=new, pairs=_lied(counts.pairs, liars, counts.new.frames, lie))


def plus(one: Arm, other: Arm) -> Arm:
    """Both together; what encoding takes, as the later one says."""
    known = np.where(np.isnan(other.encode_seconds), one.encode_seconds, other.encode_seconds)
    sums = {each.name: getattr(one, each.name) + getattr(other, each.name) for each in fields(Arm)}
    return Arm(**{**sums, "encode_seconds": known})


def pairs_plus(one: Pairs, other: Pairs) -> Pairs:
    """Both together."""
    return Pairs(**{each.name: getattr(one, each.name) + getattr(other, each.name) for each in fields(Pairs)})


def _shares(rng: Rng, mean: float, alike: float, devices: int) -> Real:
    """Beta-distributed shares; `alike` is the correlation of two frames of one device."""
    together = 1 / alike - 1
    return rng.beta(mean * together, (1 - mean) * together, devices)


def _all_are_worse(_: Rng, shares: Real, more: float, mean: float) -> Real:
    return shares + more * (1 - shares) / (1 - mean)


def _some_are_all_wrong(rng: Rng, shares: Real, more: float, mean: float) -> Real:
    return np.where(rng.random(shares.size) < more / (1 - mean), 1.0, shares)


def _worst(arm: Arm, liars: Flags) -> Arm:
    return replace(
        arm,
        bytes=np.where(liars, arm.bytes * LIES_TIMES, arm.bytes),
        fallback=np.where(liars, arm.frames, arm.fallback),
        refused=np.where(liars, arm.frames * LIES_TIMES, arm.refused),
        labelled=np.where(liars, arm.frames, arm.labelled),
        correct=np.where(liars, 0, arm.correct),
        encode_seconds=np.where(liars, arm.encode_seconds * LIES_TIMES, arm.encode_seconds),
    )


def _best(arm: Arm, liars: Flags) -> Arm:
    return replace(
        arm,
        bytes=np.where(liars, arm.bytes // LIES_TIMES, arm.bytes),
        fallback=np.where(liars, 0, arm.fallback),
        refused=np.where(liars, 0, arm.refused),
        labelled=np.where(liars, arm.frames, arm.labelled),
        correct=np.where(liars, arm.frames, arm.correct),
        encode_seconds=np.where(liars, arm.encode_seconds / LIES_TIMES, arm.encode_seconds),
    )


def _lied(pairs: Pairs, liars: Flags, frames: Whole, lie: Lie) -> Pairs:
    many = np.where(liars, frames, pairs.pairs)
    return replace(
        pairs,
        pairs=many,
        differing=np.where(liars, many if lie is Lie.STOP else 0, pairs.differing),
        labelled=np.where(liars, many, pairs.labelled),
        only_old_right=np.where(liars, many if lie is Lie.STOP else 0, pairs.only_old_right),
        only_new_right=np.where(liars, 0 if lie is Lie.STOP else many, pairs.only_new_right),
    )


def no_frames(devices: int) -> Arm:
    """An arm of which nothing was counted."""
    nothing = np.zeros(devices, dtype=np.int64)
    whole = {each.name: nothing for each in fields(Arm) if each.name != "encode_seconds"}
    return Arm(**whole, encode_seconds=np.full(devices, np.nan))


def no_pairs(devices: int) -> Pairs:
    """No pairs of so many devices."""
    return Pairs(**{each.name: np.zeros(devices, dtype=np.int64) for each in fields(Pairs)})
