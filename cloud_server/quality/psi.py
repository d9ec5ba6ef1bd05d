"""How far the frames of late are from the reference: the population stability index, a number for each signal."""

import numpy as np
import numpy.typing as npt

from cloud_server.quality.reference_bins import Bins, ReferenceBins

WINDOW_FRAMES = 1_000
"""Frames are forgotten so that the late ones weigh as much as a sample of this size."""
FRAMES_MIN = 200
"""From so many frames on there is a score."""
_KEPT_A_FRAME = 1 - 2 / (WINDOW_FRAMES + 1)  # a geometric series of weights w has the effective size (1 + w) / (1 - w)


class Psi:
    """The index of each signal over a window with exponential forgetting: two numbers for each bin are kept.

    It is the sum over the bins of (late - reference) x ln(late / reference), less what chance alone adds to it for
    samples of these sizes, and never below 0. Usage has it that 0.1 is worth a look and 0.25 a change.
    """

    def __init__(self, reference: ReferenceBins) -> None:
        self._reference = reference
        self._weights = np.zeros_like(reference.shares)
        self._squares = 0.0
        self._frames = 0

    def take(self, bins: Bins) -> None:
        """Take in frames, the oldest first."""
        frames, signals = bins.shape
        weights = _KEPT_A_FRAME ** np.arange(frames - 1, -1, -1)
        width = self._weights.shape[1]
        cells = (bins + width * np.arange(signals)).ravel()
        new = np.bincount(cells, weights.repeat(signals), self._weights.size).reshape(self._weights.shape)
        self._weights = self._weights * _KEPT_A_FRAME**frames + new
        self._squares = self._squares * _KEPT_A_FRAME ** (2 * frames) + float((weights**2).sum())
        self._frames += frames

    @property
    def scores(self) -> npt.NDArray[np.float64] | None:
        """float64 (signals,); None before enough frames were seen."""
        if self._frames < FRAMES_MIN:
            return None
        reference, sizes = self._reference, self._reference.sizes
        total = float(self._weights[0].sum())
        effective = total**2 / self._squares
        is_bin = np.arange(reference.shares.shape[1]) < sizes[:, None]
        late = (self._weights / total * effective + 0.5 * is_bin) / (effective + 0.5 * sizes[:, None])
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(is_bin, (late - reference.shares) * np.log(late / reference.shares), 0.0)
        by_chance = (sizes - 1) * (1 / effective + 1 / reference.n)
        scores: npt.NDArray[np.float64] = np.maximum(terms.sum(axis=1) - by_chance, 0.0)
        return scores
