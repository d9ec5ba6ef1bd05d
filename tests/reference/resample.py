"""Chroma brought to 4:2:0 without a short cut, in float64: inverse DCT, means of neighbouring values, forward DCT."""

import numpy as np
from numpy.typing import NDArray

from shared.jpeg import Sampling

Array = NDArray[np.float64]


def dct_matrix() -> Array:
    """The orthonormal DCT: rows are frequencies, columns are values (T.81 A.3.3)."""
    frequency, place = np.mgrid[0:8, 0:8]
    rows: Array = 0.5 * np.cos((2 * place + 1) * frequency * np.pi / 16)
    rows[0] /= np.sqrt(2)
    return rows


def values_of(coefficients: Array) -> Array:
    """The component values (8 rows, 8 columns) of coefficients (64, rows, columns), neither shifted nor clamped."""
    _, rows, columns = coefficients.shape
    blocks = coefficients.reshape(8, 8, rows, columns)
    values: Array = np.einsum("uy,uvrc,vx->rycx", dct_matrix(), blocks, dct_matrix())
    return values.reshape(8 * rows, 8 * columns)


def coefficients_of(values: Array) -> Array:
    """The coefficients (64, rows, columns) of component values (8 rows, 8 columns)."""
    rows, columns = values.shape[0] // 8, values.shape[1] // 8
    blocks = values.reshape(rows, 8, columns, 8)
    coefficients: Array = np.einsum("uy,rycx,vx->uvrc", dct_matrix(), blocks, dct_matrix())
    return coefficients.reshape(64, rows, columns)


def doubled(coefficients: Array) -> Array:
    """The coefficients of a component in which each value stands twice in its row."""
    return coefficients_of(np.repeat(values_of(coefficients), 2, axis=1))


def brought_to_420(coefficients: Array, sampling: Sampling, columns: int) -> Array:
    """The chroma of this sampling brought to 4:2:0, where it has so many block columns."""
    if sampling is Sampling.YUV411:
        coefficients = doubled(coefficients)[:, :, :columns]
    vertically = sampling in {Sampling.YUV444, Sampling.YUV422, Sampling.YUV411}
    return halved(coefficients, vertically=vertically, horizontally=sampling in {Sampling.YUV444, Sampling.YUV440})


def halved(coefficients: Array, *, vertically: bool, horizontally: bool) -> Array:
    """The coefficients of the means of neighbouring values; the last values repeat where blocks are odd in number."""
    values = values_of(coefficients)
    for axis, is_halved in enumerate((vertically, horizontally)):
        if is_halved:
            lacking = -values.shape[axis] % 16
            values = np.pad(values, [(0, lacking if axis == a else 0) for a in range(2)], mode="edge")
            first, second = [(slice(None),) * axis + (slice(start, None, 2),) for start in (0, 1)]
            values = (values[first] + values[second]) / 2
    return coefficients_of(values)
