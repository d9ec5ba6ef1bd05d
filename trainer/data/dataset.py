"""What every data set is: a name, class names, and three splits of RGB pictures, in memory or in files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.bundle import CENTRE
from shared.jpeg import Fit
from trainer.data.augment import augmented
from trainer.data.picture_files import PictureFiles
from trainer.errors import DatasetError

Rows = NDArray[np.int64]
Progress = Callable[[int, int], None]  # pictures done, and in all


class SplitName(StrEnum):
    """Train fits weights, tables and Huffman codes; validation steers; test is only ever measured."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True)
class Augmentation:
    """How training pictures vary from epoch to epoch; see `trainer.data.augment`.

    Args:
        pad: pixels that a picture in memory is shifted by at most; from a file a crop of random size is shown instead.
        flip: whether half of them are mirrored left to right; wrong for letters and digits.
    """

    pad: int = 0
    flip: bool = False


@dataclass(frozen=True)
class Split:
    """Labelled pictures.

    Args:
        pictures: uint8 (n, h, w, 3), RGB; files decode what they are indexed with.
        labels: int64 (n,), indices into the data set's classes.
    """

    pictures: NDArray[np.uint8] | PictureFiles
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """All pictures, uint8 (n, h, w, 3); where they lie in files, decoded anew at each call: rather `take` some."""
        return self.pictures[:]

    def take(self, rows: Rows | slice) -> "Split":
        """Load the pictures of these rows into memory."""
        return Split(self.pictures[rows], self.labels[rows])

    def only(self, rows: Rows) -> "Split":
        """Restrict the split to these rows; pictures in files stay in their files."""
        pictures = self.pictures.only(rows) if isinstance(self.pictures, PictureFiles) else self.pictures[rows]
        return Split(pictures, self.labels[rows])

    def head(self, count: int) -> "Split":
        """The first `count` pictures (all, where there are fewer), in memory."""
        return self.take(slice(count))

    def varied(self, rows: Rows, how: Augmentation, *, seed: int, epoch: int) -> "Split":
        """Some pictures as an epoch shows them: a function of (seed, epoch, row) alone, whoever asks for which rows."""
        if isinstance(self.pictures, PictureFiles):
            pixels = self.pictures.random_crops(rows, seed=seed, epoch=epoch, flip=how.flip)
        else:
            pixels = augmented(self.pictures[rows], rows, seed=seed, epoch=epoch, pad=how.pad, flip=how.flip)
        return Split(pixels, self.labels[rows])


Splits = Mapping[SplitName, Split]


@dataclass(frozen=True)
class Dataset:
    """A named data set with its splits.

    Args:
        name: as it must appear in every metric, report, plot and bundle.
        classes: one name a label.
        augmentation: how its training pictures may vary and still show their class.
        fit: which part of a picture in a file is shown, measured on and classified.
        notes: what a person should know of its pictures before trusting figures, a sentence each.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    augmentation: Augmentation = Augmentation()
    fit: Fit = CENTRE
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, classes: tuple[str, ...], splits: Splits, fit: Fit = CENTRE) -> "Dataset":
        """The data set of all three splits."""
        train, validation, test = (splits[which] for which in SplitName)
        return cls(name, classes, train, validation, test, fit=fit)

    def split(self, name: SplitName) -> Split:
        """The split of that name."""
        return {SplitName.TRAIN: self.train, SplitName.VALIDATION: self.validation, SplitName.TEST: self.test}[name]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of every picture, in pixels."""
        _, height, width, _ = self.train.pictures.shape
        return height, width


def set_aside(split: Split, count: int, seed: int, path: Path) -> tuple[Split, Split]:
    """Divide pictures in two: the rest, and `count` pictures drawn by the seed; both in an order drawn as well.

    Raises:
        DatasetError: there are no more pictures than that; names `path`.
    """
    if not 0 < count < len(split):
        raise DatasetError(path, f"cannot set {count} of {len(split)} pictures aside for validation")
    order = np.random.default_rng(seed).permutation(len(split))
    return split.only(order[count:]), split.only(order[:count])
