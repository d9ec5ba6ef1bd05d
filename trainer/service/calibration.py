"""How far a classifier's confidences are from being true (Guo et al. 2017, On Calibration, section 2)."""

import numpy as np
from numpy.typing import NDArray

BINS = 15


def calibration_error(logits: NDArray[np.float32], truth: NDArray[np.int64], temperature: float) -> float:
    """The expected calibration error: mean distance of confidence and accuracy, over bins of equal width.

    Args:
        logits: (n, classes), of frames that the classifier has not learned from.
        truth: int64 (n,), the index of each frame's label.
        temperature: that logits are divided by.
    """
    apart = (logits - logits.max(axis=1, keepdims=True)).astype(np.float64) / temperature
    odds = np.exp(apart)
    confidence = 1.0 / odds.sum(axis=1)  # of the likeliest label, whose odds are 1
    is_right = logits.argmax(axis=1) == truth
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    distance = np.bincount(bins, weights=confidence - is_right, minlength=BINS)
    return float(np.abs(distance).sum() / len(truth))
