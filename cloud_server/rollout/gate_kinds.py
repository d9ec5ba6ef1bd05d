"""The kinds of gates: what each looks at, in which unit, and the limits it has where a plan names none."""

from dataclasses import dataclass
from enum import Enum, StrEnum


class GateKind(StrEnum):
    """What a gate looks at."""

    BYTES = "bytes"
    FALLBACK = "fallback"
    REFUSALS = "refusals"
    ENCODE_TIME = "encode-time"
    ACCURACY = "accuracy"
    PROBES = "probes"
    LABELLED_PAIRS = "labelled-pairs"


class Unit(Enum):
    """How a harm is told, and the largest that a gate may be asked to detect."""

    PERCENT = 10.0
    POINTS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is fixed of a kind.

    Args:
        subject: what it measures, for people.
        is_better_high: people are told by how much it fell, not how much harm that is.
        counts: what it counts beside devices, where that says more than they do.
    """

    unit: Unit
    limit: float
    detects: float
    subject: str
    is_better_high: bool = False
    counts: str | None = None


FACTS = {
    GateKind.BYTES: Facts(unit=Unit.PERCENT, limit=0.05, detects=0.20, subject="bytes a frame"),
    GateKind.FALLBACK: Facts(unit=Unit.POINTS, limit=0.01, detects=0.10, subject="share of fallback frames"),
    GateKind.REFUSALS: Facts(unit=Unit.POINTS, limit=0.01, detects=0.10, subject="share of refused frames"),
    GateKind.ENCODE_TIME: Facts(unit=Unit.PERCENT, limit=0.50, detects=1.50, subject="encode time"),
    GateKind.ACCURACY: Facts(
        unit=Unit.POINTS, limit=0.02, detects=0.11, subject="accuracy", is_better_high=True, counts="label"
    ),
    GateKind.PROBES: Facts(
        unit=Unit.POINTS,
        limit=0.03,
        detects=0.12,
        subject="disagreement beyond what the trainer measured",
        counts="pair",
    ),
    GateKind.LABELLED_PAIRS: Facts(
        unit=Unit.POINTS,
        limit=0.02,
        detects=0.10,
        subject="accuracy on pairs",
        is_better_high=True,
        counts="labelled pair",
    ),
}
