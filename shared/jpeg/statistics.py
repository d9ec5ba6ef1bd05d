"""Counts of the Huffman symbols that levels take, and the optimal tables for them."""

import numpy as np
from numpy.typing import NDArray

from shared.jpeg import native
from shared.jpeg.frames import Coefficients, levels_of
from shared.jpeg.tables import HuffmanTable


class SymbolCounts:
    """How often each Huffman symbol occurs: `counts` uint64 (4, 256), DC and AC of luma, then of chroma.

    Only one thread at a time may add to it.
    """

    def __init__(self) -> None:
        self.counts: NDArray[np.uint64] = np.zeros((4, 256), np.uint64)

    def add(self, y: NDArray[np.int16], c: NDArray[np.int16] | None) -> None:
        """Count the symbols of a batch of 4:2:0 levels, or of grey ones where `c` is None.

        Args:
            y: int16 (n, 64, h/8, w/8), natural frequency order.
            c: int16 (n, 128, h/16, w/16), Cb before Cr.

        Raises:
            ValueError: the planes have other types or shapes, or levels that 8-bit baseline has no codes for.
        """
        native.count_symbols(levels_of(y, c), self.counts)

    def add_coefficients(self, coefficients: Coefficients) -> None:
        """Count the symbols of one frame of any size and sampling, the padding of its last MCUs included.

        Raises:
            ValueError: the planes have another type or shape, or levels that 8-bit baseline has no codes for.
        """
        native.count_symbols(coefficients.native_levels, self.counts)

    def tables(self) -> tuple[HuffmanTable, HuffmanTable, HuffmanTable, HuffmanTable]:
        """The optimal tables with codes of at most 16 bits: DC and AC of luma, then DC and AC of chroma.

        One count is added to each legal symbol, so that every future frame can be coded, whatever it holds.
        """
        fitted = [native.fit(self.counts[index], is_ac=index % 2 == 1) for index in range(4)]
        dc_luma, ac_luma, dc_chroma, ac_chroma = (HuffmanTable(*pair) for pair in fitted)
        return dc_luma, ac_luma, dc_chroma, ac_chroma
