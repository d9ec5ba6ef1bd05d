"""Pictures, tables, and the frames and batches that devices make of them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from shared.jpeg import EOI, Encoder, Sampling, Stream, TableSet
from shared.wire import Batch, BatchItem

SIDE = 32


Pixels = npt.NDArray[np.uint8]


def picture(seed: int, side: int = SIDE) -> Pixels:
    """A smooth colourful picture, uint8 RGB (side, side, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 4, 3)).astype(np.float64)
    return np.clip(
        np.kron(coarse, np.ones((side // 4, side // 4, 1))) + rng.normal(0, 6, (side, side, 3)), 0, 255
    ).astype(np.uint8)


def frame(tables: TableSet, seed: int = 0, stream: Stream = Stream.ABBREVIATED, side: int = SIDE) -> bytes:
    """A JPEG of `picture(seed)`."""
    return Encoder(tables).encode(picture(seed, side), stream)


def tables(quality: float) -> TableSet:
    """Standard 4:2:0 tables."""
    return TableSet.standard(quality, Sampling.YUV420)


def batch_with_scans(quality: float, seeds: Sequence[int], first_sequence: int = 0) -> Batch:
    """A batch of abbreviated frames of the pictures with these seeds."""
    scans = [frame(tables(quality), seed, Stream.SCAN) for seed in seeds]
    first = frame(tables(quality), seeds[0])
    prefix = first[: -len(scans[0] + EOI)]
    return Batch(prefix, tuple(BatchItem(first_sequence + n, 1_700_000_000_000, scan) for n, scan in enumerate(scans)))
