"""Golden frames of an export: held-out ones with their true labels, or generated ones with what the classifier says.

A server finds out with them whether its codec and its ONNX Runtime make of frames what was measured here, and whether
the eight-bit twin is as good. The frames leave the trainer's machine; generated ones show nobody's pictures.
"""

import base64
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from shared.bundle import GOLDEN_FRAMES_MAX, GOLDEN_LIMIT_BYTES, GOLDEN_LOGITS_MAX, Golden
from trainer.data import Dataset, Split, noise

GENERATED = 512
CLEAREST = 256  # of the generated ones: where labels are a near tie, who says another one is not worse
FRAMES_LIMIT_BYTES = GOLDEN_LIMIT_BYTES * 3 // 4  # the rest is for logits: rows of 10,000 labels fit


class GoldenPictures(StrEnum):
    """What golden frames show. Generated ones have no label: the classifier's clearest answers count as true."""

    HELD_OUT = "held-out"
    GENERATED = "generated"


def golden_pictures(kind: GoldenPictures, dataset: Dataset) -> Split:
    """Pictures for golden frames; labels of generated ones mean nothing."""
    if kind is GoldenPictures.HELD_OUT:
        return dataset.validation.head(GOLDEN_FRAMES_MAX)
    return Split(noise.pictures(GENERATED, *dataset.size), np.zeros(GENERATED, np.int64))


def golden(
    kind: GoldenPictures, frames: Sequence[bytes], labels: NDArray[np.int64], logits: NDArray[np.float32]
) -> Golden:
    """Build golden frames of as many of the given frames, from the first on, as the size limit allows.

    Args:
        labels: of each frame, int64 (n,).
        logits: what the float32 classifier says of each, (n, classes).
    """
    if kind is GoldenPictures.GENERATED:
        rows = _clearest(logits)
        frames, labels, logits = [frames[row] for row in rows], logits.argmax(1)[rows], logits[rows]
    count = _fitting(frames)
    return Golden(
        frames=tuple(frames[:count]),
        truth=tuple(labels[:count].tolist()),
        logits=tuple(_shortest(row) for row in logits[: min(count, GOLDEN_LOGITS_MAX)]),
    )


def _clearest(logits: NDArray[np.float32]) -> NDArray[np.int64]:
    """Rows whose first label is farthest ahead of the second, in their own order."""
    second, first = np.sort(logits, axis=1)[:, -2:].T
    return np.sort(np.argsort(second - first, kind="stable")[:CLEAREST])


def _fitting(frames: Sequence[bytes]) -> int:
    ends = np.cumsum([len(base64.b64encode(frame)) + len('"",') for frame in frames])
    return max(1, int(np.searchsorted(ends, FRAMES_LIMIT_BYTES, side="right")))


def _shortest(row: NDArray[np.float32]) -> tuple[float, ...]:
    """The numbers as doubles that need no more digits in text than a float32 does."""
    return tuple(float(str(value)) for value in row)
