"""What will happen in the field: real encoder, real streams, real decoder, exported classifier."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from shared.jpeg import Decoder, Stream, TableSet
from trainer import streams
from trainer.classifier import OnnxClassifier
from trainer.data import Split
from trainer.encoding import Encoding
from trainer.streams import Levels

Z95 = 1.959964  # two-sided 95 % of the normal distribution


@dataclass(frozen=True)
class Bytes:
    """Bytes a frame of one unit."""

    mean: float
    p50: float
    p95: float


@dataclass(frozen=True)
class Evaluation:
    """Accuracy and bytes of held-out frames.

    Args:
        data, split: which frames.
        tables: in words.
        accuracy, low, high: share of right labels with its 95 % Wilson interval.
        scan: entropy-coded bytes only.
        file: a whole JFIF file, tables inside.
        wire: the abbreviated frame that a camera posts.
    """

    data: str
    split: str
    tables: str
    tables_id: str
    n: int
    accuracy: float
    low: float
    high: float
    scan: Bytes
    file: Bytes
    wire: Bytes

    def as_json(self) -> dict[str, Any]:
        """Plain numbers and texts."""
        return asdict(self)


def evaluate(
    encoding: Encoding, classifier: OnnxClassifier, split: Split, *, data: str, split_name: str, description: str
) -> Evaluation:
    """Encode, decode and classify every picture of a split."""
    encoder = encoding.encoder()
    frames = encoder.encode_batch(split.pixels, Stream.ABBREVIATED)
    files = encoder.encode_batch(split.pixels, Stream.INTERCHANGE)
    logits = classifier.logits(decode(encoding.tables, frames, split))
    right = int((logits.argmax(1) == split.labels).sum())
    low, high = wilson_interval(right, len(split))
    return Evaluation(
        data=data,
        split=split_name,
        tables=description,
        tables_id=encoding.tables.tables_id,
        n=len(split),
        accuracy=right / len(split),
        low=low,
        high=high,
        scan=_bytes(streams.scan_bytes(encoding, split.pixels)),
        file=_bytes(np.array([len(file) for file in files], np.int64)),
        wire=_bytes(np.array([len(frame) for frame in frames], np.int64)),
    )


def decode(tables: TableSet, frames: list[bytes], split: Split) -> Levels:
    """The frames' levels, as the server gets them."""
    count, height, width, _ = split.pixels.shape
    y = np.empty((count, 64, height // 8, width // 8), np.int16)
    c = np.empty((count, 128, height // 16, width // 16), np.int16)
    for fault in Decoder(tables).decode_batch(frames, y, c):
        if fault is not None:
            raise fault
    return Levels(torch.from_numpy(y), torch.from_numpy(c), torch.from_numpy(split.labels))


def wilson_interval(right: int, n: int) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson 1927): sound near 0 and 1 as well."""
    share = right / n
    centre = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def _bytes(sizes: NDArray[np.int64]) -> Bytes:
    return Bytes(float(sizes.mean()), float(np.percentile(sizes, 50)), float(np.percentile(sizes, 95)))
