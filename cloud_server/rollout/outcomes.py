"""What became of a rollout on each device, and how that is counted. Pure.

A device counts once it is settled: confirmed by its frames, or failed. One that was not heard of since it was exposed
counts on neither side, or a fleet that is switched off would stop a rollout, or prove it.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Outcome(StrEnum):
    """What became of the new bundle on a device."""

    CONFIRMED = "confirmed"
    """Enough of its frames were answered by the new classifier."""
    ROLLED_BACK = "rolled-back"
    """It took the bundle, and went back by itself."""
    REJECTED = "rejected"
    """It never took it: the bundle does not verify there, or the device cannot run it."""
    TIMED_OUT = "timed-out"
    """It is online, and has neither proved nor refused the bundle in time."""
    PENDING = "pending"
    """It is online, and has time still."""
    NOT_REACHED = "not-reached"
    """Nothing was heard of it since it was exposed."""


_STICKING = (Outcome.ROLLED_BACK, Outcome.REJECTED)
"""What a device told stays told: one that flaps between versions has failed."""


class Trail(NamedTuple):
    """What is known of one exposed device.

    Args:
        told: the worst that it told of the new bundle in an event; None: nothing, or that it was confirmed.
        proofs: how many of its frames were answered by the new bundle's classifier, `exact`.
        heard_first, heard_last: when it was heard of after it was exposed, in seconds since 1970; None: never.
    """

    told: Outcome | None
    proofs: int
    heard_first: float | None
    heard_last: float | None


class Tally(NamedTuple):
    """How many devices have which outcome."""

    confirmed: int = 0
    rolled_back: int = 0
    rejected: int = 0
    timed_out: int = 0
    pending: int = 0
    not_reached: int = 0

    @property
    def failed(self) -> int:
        """Those on which the bundle failed."""
        return self.rolled_back + self.rejected + self.timed_out

    @property
    def settled(self) -> int:
        """Those of which it is known."""
        return self.confirmed + self.failed


def worst(before: Outcome | None, told: Outcome | None) -> Outcome | None:
    """The worse of what a device told before and what it tells now."""
    return min((one for one in (before, told) if one in _STICKING), key=_STICKING.index, default=None)


def outcome_of(trail: Trail, proofs: int, timeout_seconds: float) -> Outcome:
    """What became of the new bundle on a device.

    Args:
        proofs: how many it has to have.
        timeout_seconds: how long it may be heard of without them.
    """
    if trail.told is not None:
        return trail.told
    if trail.proofs >= proofs:
        return Outcome.CONFIRMED
    if trail.heard_first is None or trail.heard_last is None:
        return Outcome.NOT_REACHED
    return Outcome.TIMED_OUT if trail.heard_last - trail.heard_first >= timeout_seconds else Outcome.PENDING


def tally(outcomes: Iterable[Outcome]) -> Tally:
    """Count outcomes."""
    every = list(outcomes)
    return Tally(**{outcome.name.lower(): every.count(outcome) for outcome in Outcome})
