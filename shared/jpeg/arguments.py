"""What the native codec takes and gives: plain bytes, numbers and arrays instead of named values."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tables:
    """A table set as plain values.

    Args:
        sampling: the sampling's number in the native codec.
        quant: 64 steps for each component.
        huffman: (counts, symbols) of each Huffman table.
    """

    sampling: int
    quant: tuple[bytes, ...]
    huffman: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class Levels:
    """Levels of n frames of one size as plain values.

    Args:
        size: (height, width).
        sampling: the sampling's number in the native codec.
        planes: int16 (n, 64, block rows, block columns) for each component, C-contiguous within a frame.
    """

    size: tuple[int, int]
    sampling: int
    planes: tuple[NDArray[np.int16], ...]


@dataclass(frozen=True)
class Quantisation:
    """How coefficients become levels, as float64 (components, 64).

    Args:
        rounding: offsets in steps.
        mask: 1 where a frequency is never coded, otherwise 0.
        tradeoff: multiplier and weights of rate-distortion optimisation.
    """

    rounding: NDArray[np.float64]
    mask: NDArray[np.float64]
    tradeoff: tuple[float, NDArray[np.float64]] | None


@dataclass(frozen=True)
class Resize:
    """A size that a frame is brought to, and of its upright picture the part that becomes it, as plain values.

    Args:
        size: (height, width).
        part: (x, y, width, height) in pixels.
    """

    size: tuple[int, int]
    part: tuple[float, float, float, float]


@dataclass(frozen=True)
class Info:
    """What markers say, as plain values."""

    height: int
    width: int
    sampling: int
    is_abbreviated: bool
    tables_id: str | None
    quant: tuple[bytes, ...] | None
    scan_bytes: int
    orientation: int
