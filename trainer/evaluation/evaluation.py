"""What will happen in the field: real encoder, real streams, real decoder, exported classifier."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from shared.jpeg import EOI, Decoder, Stream, TableSet
from shared.wire import BATCH_MAX_FRAMES, Batch, BatchItem
from trainer.data import Split
from trainer.encoding.files import Encoding
from trainer.encoding.streams import Levels
from trainer.evaluation.by_class import ClassFigures, by_class, confusion
from trainer.evaluation.fidelity import fidelity
from trainer.evaluation.intervals import Z95, wilson_interval

TOP = 5
FRAME_PERIOD_MS = 1_000  # a frame a second; a time delta grows by a byte from 8 s on
SPLIT_STARTED_MS = 1_735_689_600_000  # any date of these decades takes as many bytes


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Figure(_Figures):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class Bytes(_Figures):
    """Bytes a frame of one unit; `low` and `high` are the 95 % interval of the mean."""

    mean: float
    low: float
    high: float
    p50: float
    p95: float


class Evaluation(_Figures):
    """Accuracy, likeness and bytes of held-out frames.

    Args:
        data, split: which frames.
        tables: in words.
        accuracy, low, high: share of right labels with its 95 % Wilson interval.
        top5: share of frames whose label is among the five likeliest, with its Wilson interval.
        psnr_db, ssim: means over the frames, see `trainer.evaluation.fidelity`.
        scan: entropy-coded bytes only.
        file: a whole JFIF file, tables inside; what the paper counts.
        wire: the abbreviated frame that a camera posts.
        batched: mean bytes of a frame's share of a full batch, a frame a second.
        classes: the figures class by class; none where nobody asked for them.
    """

    data: str
    split: str
    tables: str
    tables_id: str
    n: int
    accuracy: float
    low: float
    high: float
    top5: Figure
    psnr_db: Figure
    ssim: Figure
    scan: Bytes
    file: Bytes
    wire: Bytes
    batched: float
    classes: tuple[ClassFigures, ...] = ()


@dataclass(frozen=True)
class FrameOutcomes:
    """What became of each frame, so that two runs can be compared frame by frame.

    Args:
        right: bool (n,), whether the likeliest label is the frame's.
        right_top5: bool (n,), whether the five likeliest hold it.
        scan_bytes: int64 (n,).
        likeliest: int64 (n,), the likeliest label's index; None where it was not kept.
        logits: float32 (n, classes); None where they were not kept, as on disk.
    """

    right: NDArray[np.bool_]
    right_top5: NDArray[np.bool_]
    scan_bytes: NDArray[np.int64]
    likeliest: NDArray[np.int64] | None = None
    logits: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Evaluated:
    """The figures of a split, and the frames that they sum up."""

    evaluation: Evaluation
    outcomes: FrameOutcomes

    def with_classes(self, truth: NDArray[np.int64], labels: Sequence[str]) -> "Evaluated":
        """The same, class by class as well.

        Args:
            truth: int64 (n,), the index of each frame's label.
        """
        return replace(
            self,
            evaluation=self.evaluation.model_copy(
                update={"classes": by_class(self.confusion(truth, len(labels)), labels)}
            ),
        )

    def confusion(self, truth: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
        """How many frames of each class were given each label, int64 (classes, classes)."""
        assert self.outcomes.likeliest is not None
        return confusion(truth, self.outcomes.likeliest, classes)


class Classifier(Protocol):
    """Anything that gives logits of decoded frames."""

    def logits(self, levels: Levels, /) -> NDArray[np.float32]:
        """float32 (n, classes)."""


def evaluate(
    encoding: Encoding, classifier: Classifier, split: Split, *, data: str, split_name: str, description: str
) -> Evaluated:
    """Encode, decode and classify every picture of a split."""
    encoder = encoding.encoder()
    scans, frames, files = (
        encoder.encode_batch(split.pixels, stream) for stream in (Stream.SCAN, Stream.ABBREVIATED, Stream.INTERCHANGE)
    )
    logits = classifier.logits(decode(encoding.tables, frames, split))
    likeliest = np.argsort(-logits, axis=1, kind="stable")[:, :TOP]
    is_right = likeliest == split.labels[:, None]
    outcomes = FrameOutcomes(is_right[:, 0], is_right.any(1), _lengths(scans), likeliest[:, 0], logits)
    likeness = fidelity(files, split.pixels)
    accuracy, top5 = (_share(right) for right in (outcomes.right, outcomes.right_top5))
    evaluation = Evaluation(
        data=data,
        split=split_name,
        tables=description,
        tables_id=encoding.tables.tables_id,
        n=len(split),
        accuracy=accuracy.value,
        low=accuracy.low,
        high=accuracy.high,
        top5=top5,
        psnr_db=_mean(likeness.psnr_db),
        ssim=_mean(likeness.ssim),
        scan=_bytes(outcomes.scan_bytes),
        file=_bytes(_lengths(files)),
        wire=_bytes(_lengths(frames)),
        batched=batched_bytes(frames, scans),
    )
    return Evaluated(evaluation, outcomes)


def decode(tables: TableSet, frames: list[bytes], split: Split) -> Levels:
    """The frames' levels, as the server gets them."""
    count, height, width, _ = split.pixels.shape
    y = np.empty((count, 64, height // 8, width // 8), np.int16)
    c = np.empty((count, 128, height // 16, width // 16), np.int16)
    for fault in Decoder(tables).decode_batch(frames, y, c):
        if fault is not None:
            raise fault
    return Levels(torch.from_numpy(y), torch.from_numpy(c), torch.from_numpy(split.labels))


def batched_bytes(frames: list[bytes], scans: list[bytes]) -> float:
    """Mean bytes a frame when frames of one table set travel in batches as full as they may be.

    Args:
        frames: abbreviated, and `scans` their entropy-coded bytes.
    """
    prefix = frames[0][: len(frames[0]) - len(scans[0]) - len(EOI)]
    items = [BatchItem(index, SPLIT_STARTED_MS + index * FRAME_PERIOD_MS, scan) for index, scan in enumerate(scans)]
    starts = range(0, len(items), BATCH_MAX_FRAMES)
    batches = [Batch(prefix, tuple(items[start : start + BATCH_MAX_FRAMES])) for start in starts]
    return sum(len(batch.to_bytes()) for batch in batches) / len(frames)


def _lengths(streams: list[bytes]) -> NDArray[np.int64]:
    return np.array([len(stream) for stream in streams], np.int64)


def _share(right: NDArray[np.bool_]) -> Figure:
    low, high = wilson_interval(int(right.sum()), len(right))
    return Figure(value=float(right.mean()), low=low, high=high)


def _mean(values: NDArray[np.float64] | NDArray[np.int64]) -> Figure:
    """The mean with its normal interval: means of hundreds of frames are as good as normal."""
    mean = float(values.mean())
    half = Z95 * float(values.std()) / math.sqrt(max(len(values) - 1, 1))
    return Figure(value=mean, low=mean - half, high=mean + half)


def _bytes(sizes: NDArray[np.int64]) -> Bytes:
    mean = _mean(sizes)
    p50, p95 = np.percentile(sizes, (50, 95))
    return Bytes(mean=mean.value, low=mean.low, high=mean.high, p50=float(p50), p95=float(p95))
