"""Symbol statistics of levels, and the Huffman tables they ask for."""

import numpy as np
from numpy.typing import NDArray

from shared.jpeg import native
from shared.jpeg.tables import HuffmanTable


class SymbolCounts:
    """How often each Huffman symbol occurs: `counts` uint64 (4, 256), DC and AC of luma, then of chroma."""

    def __init__(self) -> None:
        self.counts: NDArray[np.uint64] = np.zeros((4, 256), np.uint64)

    def add(self, y: NDArray[np.int16], c: NDArray[np.int16]) -> None:
        """Count the symbols of 4:2:0 levels.

        Args:
            y: int16 (n, 64, h/8, w/8), natural frequency order.
            c: int16 (n, 128, h/16, w/16), Cb before Cr.

        Raises:
            ValueError: other types or shapes, or levels that 8-bit baseline has no codes for.
        """
        count, _, rows, columns = c.shape if c.ndim == 4 else (0, 0, 0, 0)
        if y.shape != (count, 64, 2 * rows, 2 * columns) or c.shape != (count, 128, rows, columns):
            raise ValueError(f"planes of {y.shape} and {c.shape}")
        if y.dtype != np.int16 or c.dtype != np.int16:
            raise ValueError(f"levels must be int16, not {y.dtype} and {c.dtype}")
        if count and rows and columns:
            y, c = (np.require(plane, requirements=("C", "ALIGNED")) for plane in (y, c))
            native.count_symbols(y, c, self.counts)

    def tables(self) -> tuple[HuffmanTable, HuffmanTable, HuffmanTable, HuffmanTable]:
        """The optimal tables of at most 16 bits, one count added to each legal symbol.

        So every future frame can be coded, whatever the counted ones held.
        """
        fitted = [native.fit(self.counts[index], is_ac=index % 2 == 1) for index in range(4)]
        dc_luma, ac_luma, dc_chroma, ac_chroma = (HuffmanTable(*pair) for pair in fitted)
        return dc_luma, ac_luma, dc_chroma, ac_chroma
