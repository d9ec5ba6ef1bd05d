"""Whom a rollout leads to its new bundle. Pure rules: a device's name decides, so nothing needs to be kept of it."""

import hashlib
import json
from collections.abc import Iterable, Set
from dataclasses import dataclass
from functools import lru_cache

from shared.wire import Assignment

_SHARES = 1 << 48
"""So many a float tells apart, and the last one from 100."""
SHARES_KEPT = 1 << 16
"""Whoever leads a rollout asks for the same devices' again and again."""


@lru_cache(maxsize=SHARES_KEPT)
def share_of(rollout_id: str, device_id: str) -> float:
    """Where a device stands in a rollout, in [0, 100): it is among the first `percent` where that is more.

    The same for ever, evenly spread over devices, and for each rollout anew.

    Args:
        device_id: as the device is publicly known.
    """
    digest = hashlib.sha256(f"{rollout_id}/{device_id}".encode()).digest()
    return 100 * int.from_bytes(digest[:6]) / _SHARES


@dataclass(frozen=True, slots=True)
class Reach:
    """A part of a family's devices: so many percent of those that have all of these tags."""

    percent: float
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Exposure:
    """A rollout's assignment, and which devices of the family it is for: those in any of its reaches."""

    rollout: str
    family: str
    assignment: Assignment
    reaches: tuple[Reach, ...]

    def includes(self, device_id: str, tags: Set[str]) -> bool:
        """Whether a device of the family, by its public name, is exposed to the new bundle."""
        share = share_of(self.rollout, device_id)
        return any(share < reach.percent and reach.tags <= tags for reach in self.reaches)


def text_of(reaches: Iterable[Reach]) -> str:
    """Reaches as they are stored."""
    return json.dumps([[reach.percent, sorted(reach.tags)] for reach in reaches])


def reaches_of(text: str) -> tuple[Reach, ...]:
    """The reaches that `text_of` made this of."""
    return tuple(Reach(percent, frozenset(tags)) for percent, tags in json.loads(text))
