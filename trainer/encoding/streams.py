"""The real codec's view of pictures: levels, fitted Huffman tables, and true bytes."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared.jpeg import Stream, SymbolCounts
from trainer.data.dataset import Split
from trainer.diff_jpeg import Planes
from trainer.encoding.files import Encoding

PART = 1_024  # pictures at a time, however many there are
HUFFMAN_FITS = 3  # where codes and levels depend on each other; more bring less than half a percent of the bytes


@dataclass(frozen=True)
class Levels:
    """Quantised frames of one encoding, as the server will decode them.

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


def quantise(encoding: Encoding, split: Split) -> Levels:
    """What decoding the encoded pictures would give back."""
    y, c = encoding.encoder().quantise_batch(split.pixels)
    assert c is not None  # tables are 4:2:0 throughout the trainer
    return Levels(torch.from_numpy(y), torch.from_numpy(c), torch.from_numpy(split.labels))


def with_fitted_huffman(encoding: Encoding, split: Split) -> Encoding:
    """The same quantisation with Huffman tables fitted to these pictures; every other frame stays encodable.

    Without rate-distortion optimisation they are optimal. With it the levels depend on the codes they are to be written
    with: codes are fitted to the levels that the codes before made, `HUFFMAN_FITS` times from those at hand.
    """
    for _ in range(1 if encoding.settings.rdo_weights is None else HUFFMAN_FITS):
        counts = SymbolCounts()
        for start in range(0, len(split), PART):
            levels = quantise(encoding, split.take(slice(start, start + PART)))
            counts.add(levels.y.numpy(), levels.c.numpy())
        encoding = replace(encoding, tables=encoding.tables.with_huffman(counts.tables()))
    return encoding


def scan_bytes(encoding: Encoding, pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Entropy-coded bytes of each picture, int64 (n,)."""
    scans = encoding.encoder().encode_batch(pixels, stream=Stream.SCAN)
    return np.array([len(scan) for scan in scans], np.int64)
