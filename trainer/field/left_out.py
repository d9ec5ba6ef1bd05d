"""Why labelled frames were not learned from: how many for each cause, and the same in words. Pure."""

from collections.abc import Mapping
from enum import StrEnum


class Cause(StrEnum):
    """Why a frame of an export is not learned from."""

    TWINS = "twins"
    DAMAGED = "damaged"
    UNKNOWN_LABELS = "unknown-labels"
    QUOTA = "quota"
    SET_ASIDE = "set-aside"
    HELD_OUT_BY_DEVICE = "held-out-by-device"
    HELD_OUT_BY_TIME = "held-out-by-time"


_WORDS = {
    Cause.TWINS: "twins of the frozen holdout",
    Cause.DAMAGED: "damaged or of another size",
    Cause.UNKNOWN_LABELS: "of a label that the net does not know",
    Cause.QUOTA: "beyond their device's quota",
    Cause.SET_ASIDE: "of devices set aside",
    Cause.HELD_OUT_BY_DEVICE: "held out by device",
    Cause.HELD_OUT_BY_TIME: "held out by time",
}


def told(counts: Mapping[str, int]) -> str:
    """Counts by cause as a person reads them; causes that none was left out for are not named."""
    return ", ".join(f"{counts[cause]} {words}" for cause, words in _WORDS.items() if counts.get(cause)) or "none"
