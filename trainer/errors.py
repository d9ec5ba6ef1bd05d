"""What can go wrong in training, by who can mend it."""

from pathlib import Path

from shared.errors import DctwireError
from shared.pictures import shown


class TrainerError(DctwireError):
    """Every error the trainer raises on purpose; its text is meant for the person at the terminal."""


class RecipeError(TrainerError):
    """The recipe (or a flag beside it) asks for something impossible."""


class DatasetError(TrainerError):
    """A data set is missing, damaged or not the published one.

    Args:
        path: the file or folder at fault.
    """

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"{shown(path)}: {detail}")
        self.path = path


class BudgetError(TrainerError):
    """The byte budget cannot be reached with integer tables 1..255.

    Args:
        budget: scan bytes a frame that were asked for.
        lowest, highest: scan bytes a frame that tables can reach here.
    """

    def __init__(self, budget: float, lowest: float, highest: float) -> None:
        super().__init__(
            f"budget {budget:.1f} scan bytes a frame is outside what tables can reach here: "
            f"{lowest:.1f} to {highest:.1f}. Choose one between them, or another [data] size: smaller frames take less"
        )
        self.budget = budget
        self.lowest = lowest
        self.highest = highest


class DivergedError(TrainerError):
    """The loss is no longer a number.

    Args:
        step: optimiser steps taken before it happened.
        loss: the value seen.
    """

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(
            f"the loss became {loss} at step {step}: lower [optimiser] learning_rate (or set gradient_norm = 1.0) and "
            "train again into another --out; what was last checkpointed here is still sound"
        )
        self.step = step
        self.loss = loss


class LostProcessError(TrainerError):
    """Another process of this training ended, or kept this one waiting for too long."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"another process of this training was lost ({detail}): see its own message; "
            "the same command resumes from the last checkpoint"
        )


class RunError(TrainerError):
    """A run directory is missing, damaged, unfinished or of another recipe."""


class ParityError(TrainerError):
    """Two paths that must compute the same thing differ by more than their stated tolerance."""
