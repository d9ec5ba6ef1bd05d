"""The histograms of a reference as arrays: how likely each bin of each signal is, and which bins frames fall into."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from shared.bundle import Drift
from shared.bundle.signals import Signal, Signals

Bins = npt.NDArray[np.intp]
"""int (n, signals): the bin of each frame, by signal."""


@dataclass(frozen=True, eq=False, slots=True)
class ReferenceBins:
    """What held-out frames looked like.

    Args:
        signals: those that the reference knows, in the order of `Signal`.
        edges: of each of them.
        shares: float64 (signals, bins): how likely each bin is, padded with zeros to as many bins as the largest has;
            counts and half a frame a bin, so that no bin is impossible because no held-out frame was in it.
        sizes: int (signals,): how many bins each has.
        n: held-out frames.
    """

    signals: tuple[Signal, ...]
    edges: tuple[npt.NDArray[np.float64], ...]
    shares: npt.NDArray[np.float64]
    sizes: npt.NDArray[np.intp]
    n: int

    @classmethod
    def of(cls, drift: Drift) -> Self:
        """A reference's; signals that this program does not know, a newer trainer's, are left out."""
        known = [signal for signal in Signal if signal.value in drift.signals]
        histograms = [drift.signals[signal.value] for signal in known]
        sizes = np.array([len(histogram.shares) for histogram in histograms], np.intp)
        shares = np.zeros((len(known), max(sizes, default=1)))
        for row, histogram in zip(shares, histograms, strict=True):
            counts = np.array(histogram.shares) * drift.n + 0.5
            row[: len(counts)] = counts / counts.sum()
        return cls(tuple(known), tuple(np.array(each.edges) for each in histograms), shares, sizes, drift.n)

    def place(self, signals: Signals) -> Bins:
        """The bins of frames, int (n, signals of the reference)."""
        columns = [_COLUMN[signal] for signal in self.signals]
        placed = np.empty((len(signals), len(columns)), np.intp)
        for to, (column, edges) in enumerate(zip(columns, self.edges, strict=True)):
            placed[:, to] = edges.searchsorted(signals[:, column], side="right")
        return placed


_COLUMN = {signal: column for column, signal in enumerate(Signal)}
