"""Statistics of the coefficients that a classifier read: of frames in a server, of held-out ones in a trainer."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.int16] | npt.NDArray[np.float32]
_FREQUENCIES = 64


class CoefficientStatistics(NamedTuple):
    """Means over the blocks of each frame, by frequency: of DC as it is, of every other frequency its absolute value.

    The unit is what the classifier read: levels under its bundle's tables, or dequantised coefficients.

    Args:
        y: float32 (n, 64), a row a frame, natural order.
        c: float32 (n, 2, 64), Cb and Cr.
        zeros: float32 (n,), the share of all coefficients that are zero.
    """

    y: npt.NDArray[np.float32]
    c: npt.NDArray[np.float32]
    zeros: npt.NDArray[np.float32]

    def of(self, frames: list[int]) -> "CoefficientStatistics":
        """The rows of these frames."""
        return CoefficientStatistics(self.y[frames], self.c[frames], self.zeros[frames])


def coefficient_statistics(y: Plane, c: Plane) -> CoefficientStatistics:
    """Of y (n, 64, h/8, w/8) and c (n, 128, h/16, w/16), natural order, a row a frame.

    A product with a vector of equal weights is the fastest mean here: numpy sums short last axes slowly.
    """
    frames = len(y)
    nonzero = _nonzero(y.reshape(frames, -1)) + _nonzero(c.reshape(frames, -1))
    zeros = 1 - nonzero / np.float32((y.size + c.size) / max(frames, 1))
    return CoefficientStatistics(_means(y), _means(c.reshape(frames, 2, _FREQUENCIES, *c.shape[2:])), zeros)


def _means(planes: Plane) -> npt.NDArray[np.float32]:
    """(..., 64, rows, columns) to (..., 64): the mean of DC, and of the absolute value of every other frequency."""
    blocks = planes.shape[-2] * planes.shape[-1]
    values = planes.reshape(*planes.shape[:-2], blocks).astype(np.float32)
    others = values[..., 1:, :]
    np.abs(others, out=others)
    means: npt.NDArray[np.float32] = values @ np.full(blocks, 1 / blocks, np.float32)
    return means


def _nonzero(rows: Plane) -> npt.NDArray[np.float32]:
    """(n, m) to (n,): how many of each row are not zero."""
    counts: npt.NDArray[np.intp] = np.count_nonzero(rows, axis=1)
    return counts.astype(np.float32)
