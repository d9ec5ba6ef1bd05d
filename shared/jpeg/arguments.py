"""What the native codec takes and gives, without names: plain values of bytes, numbers and arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tables:
    """A table set without names: sampling code, 64 steps a component, (counts, symbols) a Huffman table."""

    sampling: int
    quant: tuple[bytes, ...]
    huffman: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class Levels:
    """Levels of n frames of one size, without names.

    Args:
        size: (height, width).
        planes: int16 (n, 64, block rows, block columns) a component, each frame's C-contiguous.
    """

    size: tuple[int, int]
    sampling: int
    planes: tuple[NDArray[np.int16], ...]


@dataclass(frozen=True)
class Quantisation:
    """How coefficients become levels, float64 (components, 64) each.

    Args:
        mask: 0 or 1.
        tradeoff: multiplier and weights.
    """

    rounding: NDArray[np.float64]
    mask: NDArray[np.float64]
    tradeoff: tuple[float, NDArray[np.float64]] | None


@dataclass(frozen=True)
class Info:
    """What markers say, without names."""

    height: int
    width: int
    sampling: int
    is_abbreviated: bool
    tables_id: str | None
    quant: tuple[bytes, ...] | None
    scan_bytes: int
