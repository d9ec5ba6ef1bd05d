"""Frames of any tables: what a classifier must see in training to read all of them."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared.jpeg import TableSet
from trainer.data.augment import uniform
from trainer.diff_jpeg import Planes
from trainer.diff_jpeg.quantise import LARGEST
from trainer.diff_jpeg.surrogates import round_half_away
from trainer.diff_jpeg.transform import FREQUENCIES

COUNT = 4_096
SCALES = (0.15, 8.0)  # times Annex K's steps (quality 50): about qualities 93 to 6
FLAT_SHARE = 0.3  # of tables that have one step a component before the spread, as learned tables nearly do
SPREAD = 0.5  # standard deviation of log steps
STREAM = 1_000_003  # keeps these random numbers apart from augmentation's


class RandomTables:
    """Quantisation tables around Annex K's and around flat ones, fine and coarse; a frame's tables change every epoch.

    Args:
        seed: of the tables and of which frame gets which.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed + STREAM
        self._steps = _random_steps(np.random.default_rng(seed))

    def steps(self, rows: NDArray[np.int64], epoch: int) -> Tensor:
        """Whole steps, float (n, 3, 64), of some pictures' frames: a function of (seed, epoch, row) alone."""
        (places,) = uniform(rows, self._seed, epoch, 1)
        return self._steps[torch.from_numpy((places * COUNT).astype(np.int64))]


def quantised(coefficients: Planes, steps: Tensor) -> Planes:
    """Coefficients as frames with tables of their own give them back, dequantised.

    Args:
        steps: (n, 3, 64).
    """
    y = steps[:, 0, :, None, None]
    c = steps[:, 1:].reshape(len(steps), 2 * FREQUENCIES, 1, 1)
    return Planes(round_half_away(coefficients.y / y) * y, round_half_away(coefficients.c / c) * c)


def _random_steps(random: np.random.Generator) -> Tensor:
    standard = np.log([list(table) for table in TableSet.standard().quant])
    flat = standard.mean(1, keepdims=True)
    around = np.where(random.random((COUNT, 1, 1)) < FLAT_SHARE, flat, standard)
    scale = random.uniform(math.log(SCALES[0]), math.log(SCALES[1]), (COUNT, 1, 1))
    steps = np.exp(around + scale + SPREAD * random.standard_normal((COUNT, 3, FREQUENCIES)))
    return torch.from_numpy(steps.round().clip(1, LARGEST).astype(np.float32))
