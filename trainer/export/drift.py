"""What held-out frames look like to the classifier, as histograms that a server compares the field's frames with."""

import numpy as np
from numpy.typing import NDArray

from shared.bundle import Drift, Histogram
from shared.bundle.coefficients import CoefficientStatistics, coefficient_statistics
from shared.bundle.signals import CLASS_BINS, Signal, Signals, signals_of
from shared.jpeg import Stream
from trainer.data import Split
from trainer.evaluation.evaluation import decode
from trainer.export.bundle import Exportable
from trainer.export.classifier import OnnxClassifier

BINS = 16
FRAMES_A_BIN_MIN = 25
DECIMALS = 6  # values that differ by less are taken to be the same
PART = 1_024  # pictures at a time, however many there are


def drift_of(content: Exportable, pictures: Split, temperature: float = 1.0) -> Drift:
    """The histograms of all signals over held-out pictures, through the real codec and the exported classifier.

    A signal that is the same of nearly every frame says nothing and is left out.

    Args:
        temperature: by which the server divides logits before softmax.
    """
    return histograms(signals(content, pictures, temperature), len(content.labels))


def signals(content: Exportable, pictures: Split, temperature: float = 1.0) -> Signals:
    """The signals of pictures as the server will see them."""
    encoder, classifier = content.encoding.encoder(), OnnxClassifier(content.model)
    parts = []
    for start in range(0, len(pictures), PART):
        part = pictures.take(slice(start, start + PART))
        levels = decode(content.encoding.tables, encoder.encode_batch(part.pixels, Stream.ABBREVIATED), part)
        statistics = coefficient_statistics(levels.y.numpy(), levels.c.numpy())
        parts.append(said(statistics, classifier.logits(levels), temperature))
    return np.concatenate(parts)


def said(statistics: CoefficientStatistics, logits: NDArray[np.float32], temperature: float) -> Signals:
    """The signals of frames with these logits, float32 (n, classes)."""
    odds = np.exp((logits - logits.max(axis=1, keepdims=True)) / np.float32(temperature))
    confidences = (1 / odds.sum(axis=1)).astype(np.float32)
    return signals_of(statistics, confidences, logits.argmax(axis=1), logits.shape[1])


def histograms(found: Signals, classes: int) -> Drift:
    """The histograms of signals."""
    made = {}
    for column, signal in enumerate(Signal):
        values = found[:, column].astype(np.float64)
        edges = _between_labels(classes) if signal is Signal.LABELS else _quantiles(values)
        if edges:
            made[signal.value] = _histogram(values, edges)
    return Drift(n=len(found), signals=made)


def _quantiles(values: NDArray[np.float64]) -> tuple[float, ...]:
    """Edges of bins that hold as many frames each, as far as equal values let them.

    A bin ends with the value that fills it, so that one which many frames have is hardly mixed with others. Edges lie
    between values, where the last bits of a sum, which depend on how many frames are summed at once, move nothing.
    """
    bins = max(2, min(BINS, len(values) // FRAMES_A_BIN_MIN))
    distinct, counts = np.unique(values.round(DECIMALS), return_counts=True)
    between = (distinct[:-1] + distinct[1:]) / 2
    edges, held, left = [], 0, len(values)
    for edge, count in zip(between.round(DECIMALS + 1).tolist(), counts.tolist(), strict=False):
        held, left = held + count, left - count
        if held >= len(values) / bins and left >= len(values) / bins / 2:
            edges.append(edge)
            held = 0
    return tuple(edges)


def _between_labels(classes: int) -> tuple[float, ...]:
    return tuple(float(edge) for edge in range(1, min(classes, CLASS_BINS)))


def _histogram(values: NDArray[np.float64], edges: tuple[float, ...]) -> Histogram:
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return Histogram(edges=edges, shares=tuple((counts / len(values)).tolist()))
