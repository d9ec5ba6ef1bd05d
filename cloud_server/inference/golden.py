"""Golden frames against a classifier: does it say here what its trainer says it does, and how often is it right?"""

from collections.abc import Sequence

import numpy as np

from cloud_server.errors import ClassifierError
from cloud_server.inference.classifier import Classifier, Logits, Reads
from shared.bundle import Golden, InputGeometry
from shared.jpeg import Decoder

LOGITS_TOLERANCE = 1e-3
"""Largest difference, in units of the golden logits' standard deviation. Processors differ by a few 1e-6 of it."""


def check_logits(classifier: Classifier, decoder: Decoder, geometry: InputGeometry, golden: Golden) -> None:
    """Check that the classifier gives the golden logits.

    Raises:
        ClassifierError: it gives others, or ones that are not finite, or a golden frame cannot be decoded.
    """
    expected = np.array(golden.logits, np.float32)
    found = _logits(classifier, decoder, geometry, golden.frames[: len(expected)])
    if found.shape != expected.shape:
        raise ClassifierError(f"golden logits are {expected.shape[1]} a frame, the classifier's {found.shape[1]}")
    difference = float(np.abs(found - expected).max() / max(float(expected.std()), 1e-9))
    if not difference <= LOGITS_TOLERANCE:
        raise ClassifierError(
            f"the classifier does not reproduce its golden logits: they differ by {difference:.2g} of their spread, "
            f"over {LOGITS_TOLERANCE}"
        )


def count_correct(classifier: Classifier, decoder: Decoder, geometry: InputGeometry, golden: Golden) -> int:
    """How many golden frames the classifier names rightly.

    Raises:
        ClassifierError: a golden frame cannot be decoded.
    """
    correct, size = 0, max(classifier.batch_max, 1)
    for first in range(0, len(golden.frames), size):
        logits = _logits(classifier, decoder, geometry, golden.frames[first : first + size])
        correct += int((logits.argmax(axis=1) == np.array(golden.truth[first : first + size])).sum())
    return correct


def _logits(classifier: Classifier, decoder: Decoder, geometry: InputGeometry, frames: Sequence[bytes]) -> Logits:
    y = np.empty((len(frames), 64, geometry.height // 8, geometry.width // 8), classifier.reads.dtype)
    c = np.empty((len(frames), 128, geometry.height // 16, geometry.width // 16), classifier.reads.dtype)
    errors = decoder.decode_batch(frames, y, c, dequantise=classifier.reads is Reads.COEFFICIENTS)
    for number, error in enumerate(errors):
        if error is not None:
            raise ClassifierError(f"golden frame {number} cannot be decoded: {error}")
    logits = classifier.try_run(y, c)
    if not np.isfinite(logits).all():
        raise ClassifierError("the classifier's logits are not finite on its golden frames")
    return logits
