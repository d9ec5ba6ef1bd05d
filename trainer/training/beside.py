"""Frames that a training shows beside the pictures of its data set: quantised already, and nobody has their pixels."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.diff_jpeg import Planes
from trainer.encoding.files import Encoding
from trainer.training.batches import Order

Rows = NDArray[np.int64]


class Beside(Protocol):
    """Other frames, and how often they are shown.

    A row below the number of training pictures is such a picture; the rows from there on are the frames beside them.
    """

    def order(self, *, is_learning: bool) -> Order:
        """What the steps of an epoch show: of one that learns tables, or of any other."""

    def frames(self, rows: Rows, encoding: Encoding | None) -> tuple[Planes, Tensor]:
        """Dequantised coefficients of some of the frames, on the CPU, and their labels, int64 (n,).

        Args:
            rows: from 0 on, whatever pictures there are.
            encoding: what cameras do now; None while tables are learned, which quantises them itself.
        """


def joined(first: Planes, second: Planes) -> Planes:
    """The frames of both, one after the other."""
    return Planes(torch.cat([first.y, second.y]), torch.cat([first.c, second.c]))
