"""Table sets: what both ends of the wire must share to exchange frames without tables in them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from shared.jpeg import annex_k, arguments, native
from shared.jpeg.errors import InvalidTablesError
from shared.jpeg.tables_id import tables_id_of


class Sampling(StrEnum):
    """How many components a frame has, and the resolution of its chroma (T.81 A.1.1)."""

    GREY = "grey"
    YUV444 = "4:4:4"
    YUV422 = "4:2:2"
    YUV420 = "4:2:0"
    YUV440 = "4:4:0"
    YUV411 = "4:1:1"

    @property
    def components(self) -> int:
        """1 or 3."""
        return 1 if self is Sampling.GREY else 3

    @property
    def native_code(self) -> int:
        """Its number in the native codec."""
        return _SAMPLINGS.index(self)


_SAMPLINGS = tuple(Sampling)


@dataclass(frozen=True)
class HuffmanTable:
    """One table of T.81 annex C: `counts` is BITS (16 bytes), `symbols` HUFFVAL."""

    counts: bytes
    symbols: bytes


@dataclass(frozen=True)
class TableSet:
    """Quantisation and Huffman tables of a frame, and its sampling.

    Args:
        quant: 64 steps of 1..255 in natural frequency order, one table for each component.
        huffman: DC and AC of luma, then DC and AC of chroma; grey has only the first two.

    Raises:
        InvalidTablesError: a zero step, a wrong number of tables, or a Huffman table that is not a prefix
            code of at most 16 bits without the code of all ones for exactly the 12 DC or 162 AC symbols.
    """

    sampling: Sampling
    quant: tuple[bytes, ...]
    huffman: tuple[HuffmanTable, ...]

    def __post_init__(self) -> None:
        if len(self.quant) != self.sampling.components or any(len(table) != 64 for table in self.quant):
            raise InvalidTablesError(f"{self.sampling} needs {self.sampling.components} tables of 64 steps")
        needed = 2 if self.sampling is Sampling.GREY else 4
        if len(self.huffman) != needed:
            raise InvalidTablesError(f"{self.sampling} needs {needed} Huffman tables")
        native.check_tables(self.native_tables)

    @classmethod
    def standard(cls, quality: float = 50, sampling: Sampling = Sampling.YUV420) -> Self:
        """The tables of T.81 annex K scaled to an IJG quality of 1 to 100 (12.5 is allowed).

        Raises:
            ValueError: the quality is outside 1 to 100.
        """
        luma = annex_k.scaled_steps(annex_k.LUMA_STEPS, quality)
        chroma = annex_k.scaled_steps(annex_k.CHROMA_STEPS, quality)
        huffman = tuple(HuffmanTable(counts, symbols) for counts, symbols in native.annex_k_huffman())
        if sampling is Sampling.GREY:
            return cls(sampling, (luma,), huffman[:2])
        return cls(sampling, (luma, chroma, chroma), huffman)

    @classmethod
    def from_stream(cls, data: bytes) -> Self:
        """The tables of a canonical tables-only stream, as `to_stream` writes it.

        Raises:
            InvalidTablesError: the data are anything else.
        """
        found = native.read_tables(data)
        sampling = _SAMPLINGS[found.sampling]
        huffman = tuple(HuffmanTable(counts, symbols) for counts, symbols in found.huffman)
        return cls(sampling, found.quant, huffman)

    def to_stream(self) -> bytes:
        """The canonical tables-only stream (T.81 B.5): SOI, APP10, DQT, DHT, EOI.

        Equal quantisation tables share a destination, in order of first use. APP10 holds "DW" and one byte:
        the sampling in the low half, the destinations of Cb and Cr in the two pairs of bits above.
        """
        return native.write_tables(self.native_tables, with_huffman=True)

    def with_huffman(self, huffman: Sequence[HuffmanTable]) -> Self:
        """This set with other Huffman tables: the quant id stays.

        Raises:
            InvalidTablesError: as `TableSet`.
        """
        return replace(self, huffman=tuple(huffman))

    def with_quant(self, quant: Sequence[bytes] | NDArray[np.uint8]) -> Self:
        """This set with other quantisation tables.

        Args:
            quant: the steps in the form of `TableSet`, or as uint8 (components, 64).

        Raises:
            InvalidTablesError: as `TableSet`.
        """
        return replace(self, quant=tuple(map(bytes, quant)))

    @cached_property
    def tables_id(self) -> str:
        """The id of `to_stream()`, in hex: what abbreviated frames name."""
        return tables_id_of(self.to_stream())

    @cached_property
    def quant_id(self) -> str:
        """The id of the stream without DHT, in hex: which classifier reads the levels."""
        return tables_id_of(native.write_tables(self.native_tables, with_huffman=False))

    @cached_property
    def native_tables(self) -> arguments.Tables:
        """This set in the form that the native module takes."""
        huffman = tuple((table.counts, table.symbols) for table in self.huffman)
        return arguments.Tables(self.sampling.native_code, self.quant, huffman)


@lru_cache(maxsize=256)
def quant_id_of(sampling: Sampling, quant: tuple[bytes, ...]) -> str:
    """The quant id of steps found in a frame."""
    return TableSet.standard(sampling=sampling).with_quant(quant).quant_id
