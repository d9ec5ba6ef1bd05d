"""A split's figures class by class: how many frames are named rightly, and what the others are taken for."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from trainer.evaluation.intervals import wilson_interval


class ClassFigures(BaseModel):
    """One class's frames.

    Args:
        accuracy, low, high: share of them that are named rightly, with its 95 % Wilson interval; None without frames.
        taken_for: the wrong label that most of them were given, and `taken` how many; None where all are right.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    n: int
    accuracy: float | None
    low: float | None
    high: float | None
    taken_for: str | None
    taken: int


def confusion(truth: NDArray[np.int64], likeliest: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """How many frames of each class were given each label, int64 (classes, classes): a row each true class."""
    return np.bincount(truth * classes + likeliest, minlength=classes**2).reshape(classes, classes)


def by_class(counts: NDArray[np.int64], labels: Sequence[str]) -> tuple[ClassFigures, ...]:
    """The figures of each class, in the order of the labels, from a confusion matrix."""
    return tuple(_figures(row, index, labels) for index, row in enumerate(counts))


def _figures(row: NDArray[np.int64], index: int, labels: Sequence[str]) -> ClassFigures:
    n, right = int(row.sum()), int(row[index])
    wrong = row.copy()
    wrong[index] = 0
    worst = int(wrong.argmax())
    low, high = wilson_interval(right, n) if n else (None, None)
    return ClassFigures(
        label=labels[index],
        n=n,
        accuracy=right / n if n else None,
        low=low,
        high=high,
        taken_for=labels[worst] if wrong[worst] else None,
        taken=int(wrong[worst]),
    )
