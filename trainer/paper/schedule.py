"""Which layers learn in which epoch, and how fast: the paper's two schedules as lists of turns."""

from dataclasses import dataclass
from enum import StrEnum

from trainer.recipes.paper import Alternating, EndToEnd


class Part(StrEnum):
    """What an epoch trains; the rest is frozen."""

    CLASSIFIER = "classifier"
    COMPRESSION = "compression"  # kernels, and the colour transform where it is trained
    BOTH = "both"


@dataclass(frozen=True)
class Turn:
    """One epoch.

    Args:
        round: alternation or epoch it belongs to, from 0.
        scale: factor on the first learning rates.
    """

    round: int
    part: Part
    scale: float


def turns(schedule: Alternating | EndToEnd, *, learns_tables: bool) -> tuple[Turn, ...]:
    """All epochs in order; without learned tables those of the compression layer are left out.

    So a JPEG baseline's classifier has as many epochs, at the same rates, as one beside learned tables.
    """
    if isinstance(schedule, EndToEnd):
        part = Part.BOTH if learns_tables else Part.CLASSIFIER
        return tuple(Turn(epoch, part, schedule.scale(epoch)) for epoch in range(schedule.epochs))
    parts = [Part.CLASSIFIER] * schedule.classifier_epochs
    if learns_tables:
        parts += [Part.COMPRESSION] * schedule.compression_epochs
    return tuple(
        Turn(number, part, schedule.scale(number)) for number in range(schedule.alternations) for part in parts
    )
