"""Which layers learn in which epoch, and how fast: the paper's two schedules as lists of turns."""

from dataclasses import dataclass
from enum import StrEnum

from trainer.recipes.paper import Alternating, EndToEnd


class Learner(StrEnum):
    """What an epoch trains; the rest is frozen."""

    CLASSIFIER = "classifier"
    COMPRESSION = "compression"  # kernels, and the colour transform where it is trained
    BOTH = "both"


@dataclass(frozen=True)
class Turn:
    """What one epoch trains, and how fast.

    Args:
        round: the alternation or the epoch that it belongs to, from 0.
        scale: factor on the first learning rates.
    """

    round: int
    learner: Learner
    scale: float


def turns(schedule: Alternating | EndToEnd, *, learns_tables: bool) -> tuple[Turn, ...]:
    """All epochs in order; without learned tables those of the compression layer are left out.

    So a JPEG baseline's classifier has as many epochs, at the same rates, as one beside learned tables.
    """
    if isinstance(schedule, EndToEnd):
        learner = Learner.BOTH if learns_tables else Learner.CLASSIFIER
        return tuple(Turn(epoch, learner, schedule.scale(epoch)) for epoch in range(schedule.epochs))
    learners = [Learner.CLASSIFIER] * schedule.classifier_epochs
    if learns_tables:
        learners += [Learner.COMPRESSION] * schedule.compression_epochs
    return tuple(
        Turn(number, learner, schedule.scale(number)) for number in range(schedule.alternations) for learner in learners
    )
