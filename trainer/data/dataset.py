"""What every data set is: a name, class names, and three splits of RGB pictures."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class SplitName(StrEnum):
    """Train fits weights, tables and Huffman codes; validation steers; test is only ever measured."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True)
class Split:
    """Labelled pictures.

    Args:
        pixels: uint8 (n, h, w, 3), RGB.
        labels: int64 (n,), indices into the data set's classes.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def head(self, count: int) -> "Split":
        """The first `count` pictures (all, where there are fewer)."""
        return Split(self.pixels[:count], self.labels[:count])


@dataclass(frozen=True)
class Dataset:
    """A named data set with its splits.

    Args:
        name: as it must appear in every metric, report, plot and bundle.
        classes: one name a label.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split

    def split(self, name: SplitName) -> Split:
        """The split of that name."""
        return {SplitName.TRAIN: self.train, SplitName.VALIDATION: self.validation, SplitName.TEST: self.test}[name]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of every picture, in pixels."""
        _, height, width, _ = self.train.pixels.shape
        return height, width
