"""Statistics of the coefficients that a classifier read, computed in the worker while they are at hand."""

import numpy as np
import numpy.typing as npt

from cloud_server.answered import CoefficientStatistics
from cloud_server.inference.classifier import Plane

_FREQUENCIES = 64


def coefficient_statistics(y: Plane, c: Plane) -> CoefficientStatistics:
    """Of y (n, 64, h/8, w/8) and c (n, 128, h/16, w/16), natural order, a row a frame.

    A product with a vector of equal weights is the fastest mean here: numpy sums short last axes slowly.
    """
    return CoefficientStatistics(_means(y), _means(c.reshape(len(c), 2, _FREQUENCIES, *c.shape[2:])))


def _means(planes: Plane) -> npt.NDArray[np.float32]:
    """(..., 64, rows, columns) to (..., 64): the mean of DC, and of the absolute value of every other frequency."""
    blocks = planes.shape[-2] * planes.shape[-1]
    values = planes.reshape(*planes.shape[:-2], blocks).astype(np.float32)
    others = values[..., 1:, :]
    np.abs(others, out=others)
    means: npt.NDArray[np.float32] = values @ np.full(blocks, 1 / blocks, np.float32)
    return means
