"""Frames whose signals are drawn from known spreads, and the reference of such frames."""

import numpy as np
import numpy.typing as npt

from cloud_server.quality.reference_bins import ReferenceBins
from shared.bundle import Drift, Histogram
from shared.bundle.signals import Signal, Signals

CLASSES = 10
_LABELS = list(Signal).index(Signal.LABELS)


def frames(rng: np.random.Generator, count: int, shift: float = 0, spread: float = 1, labels: int = CLASSES) -> Signals:
    """Signals of standard normal spread, moved and widened, with the first so many labels equally often."""
    drawn = rng.normal(shift, spread, (count, len(Signal))).astype(np.float32)
    drawn[:, _LABELS] = rng.integers(0, labels, count)
    return drawn


def drift_of(found: Signals, bins: int = 16) -> Drift:
    """A reference of held-out frames: bins of equal shares, and a bin for each label."""
    signals = {}
    for column, signal in enumerate(Signal):
        values = found[:, column].astype(float)
        inner = np.arange(1, CLASSES) if signal is Signal.LABELS else _quantiles(values, bins)
        counts = np.bincount(inner.searchsorted(values, side="right"), minlength=len(inner) + 1)
        signals[signal.value] = Histogram(
            edges=tuple(inner.astype(float).tolist()), shares=tuple((counts / len(values)).tolist())
        )
    return Drift(n=len(found), signals=signals)


def _quantiles(values: npt.NDArray[np.float64], bins: int) -> npt.NDArray[np.float64]:
    return np.unique(np.quantile(values, np.arange(1, bins) / bins))


def reference(rng: np.random.Generator, held_out: int = 5_000) -> ReferenceBins:
    """The reference of so many held-out frames."""
    return ReferenceBins.of(drift_of(frames(rng, held_out)))
