"""Chroma brought to 4:2:0 the long way: samples by the inverse DCT, means of neighbours, forward DCT; float64."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def dct_matrix() -> Array:
    """Orthonormal rows of frequencies over columns of samples (T.81 A.3.3)."""
    frequency, sample = np.mgrid[0:8, 0:8]
    rows: Array = 0.5 * np.cos((2 * sample + 1) * frequency * np.pi / 16)
    rows[0] /= np.sqrt(2)
    return rows


def samples_of(coefficients: Array) -> Array:
    """(64, rows, columns) to (8 rows, 8 columns) samples, neither shifted nor clamped."""
    _, rows, columns = coefficients.shape
    blocks = coefficients.reshape(8, 8, rows, columns)
    samples: Array = np.einsum("uy,uvrc,vx->rycx", dct_matrix(), blocks, dct_matrix())
    return samples.reshape(8 * rows, 8 * columns)


def coefficients_of(samples: Array) -> Array:
    """The inverse."""
    rows, columns = samples.shape[0] // 8, samples.shape[1] // 8
    blocks = samples.reshape(rows, 8, columns, 8)
    coefficients: Array = np.einsum("uy,rycx,vx->uvrc", dct_matrix(), blocks, dct_matrix())
    return coefficients.reshape(64, rows, columns)


def halved(coefficients: Array, *, vertically: bool, horizontally: bool) -> Array:
    """Means of neighbouring samples; an odd number of blocks is made even by repeating the last samples."""
    samples = samples_of(coefficients)
    for axis, is_halved in enumerate((vertically, horizontally)):
        if is_halved:
            lacking = -samples.shape[axis] % 16
            samples = np.pad(samples, [(0, lacking if axis == a else 0) for a in range(2)], mode="edge")
            first, second = [(slice(None),) * axis + (slice(start, None, 2),) for start in (0, 1)]
            samples = (samples[first] + samples[second]) / 2
    return coefficients_of(samples)
