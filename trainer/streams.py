"""The real codec's view of pictures: levels, fitted Huffman tables, and true bytes."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared.jpeg import Encoder, Stream, SymbolCounts, TableSet
from trainer.data.dataset import Split
from trainer.diff_jpeg import Planes


@dataclass(frozen=True)
class Levels:
    """Quantised frames of one table set, as the server will decode them.

    Args:
        y: int16 (n, 64, h/8, w/8).
        c: int16 (n, 128, h/16, w/16).
        labels: int64 (n,).
    """

    y: Tensor
    c: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def planes(self, rows: Tensor | slice) -> Planes:
        """Some frames' levels as float."""
        return Planes(self.y[rows].float(), self.c[rows].float())


def quantise(tables: TableSet, split: Split) -> Levels:
    """What decoding the encoded pictures would give back."""
    y, c = Encoder(tables).quantise_batch(split.pixels)
    assert c is not None  # tables are 4:2:0 throughout the trainer
    return Levels(torch.from_numpy(y), torch.from_numpy(c), torch.from_numpy(split.labels))


def with_fitted_huffman(tables: TableSet, levels: Levels) -> TableSet:
    """The same quantisation with Huffman tables optimal for these levels; every other frame stays encodable."""
    counts = SymbolCounts()
    counts.add(levels.y.numpy(), levels.c.numpy())
    return tables.with_huffman(counts.tables())


def scan_bytes(tables: TableSet, pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Entropy-coded bytes of each picture, int64 (n,)."""
    scans = Encoder(tables).encode_batch(pixels, stream=Stream.SCAN)
    return np.array([len(scan) for scan in scans], np.int64)
