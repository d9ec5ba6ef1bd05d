"""Paired bootstrap: the figures of all runs of a ladder, as other frames and other seeds might have shown them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.comparison.ladder import Kind
from trainer.comparison.ladder_results import Cell, MeasuredRun
from trainer.comparison.rate_curve import RateCurve

CHUNK = 50  # resamples whose weights are held at once


@dataclass(frozen=True)
class Resample:
    """Accuracy and bytes of every cell, as means over one drawing of frames and seeds.

    Args:
        accuracy: float64 (cells,), share of right labels.
        scan_bytes: float64 (cells,), bytes a frame.
    """

    cells: tuple[Cell, ...]
    accuracy: NDArray[np.float64]
    scan_bytes: NDArray[np.float64]

    def of(self, kind: Kind) -> list[Cell]:
        """The cells of a kind, by budget."""
        return sorted(cell for cell in self.cells if cell.kind is kind)

    def figures(self, cell: Cell) -> tuple[float, float]:
        """Scan bytes and accuracy of a cell."""
        at = self.cells.index(cell)
        return float(self.scan_bytes[at]), float(self.accuracy[at])

    def curve(self, kind: Kind, overhead: Mapping[Cell, float] | None = None) -> RateCurve | None:
        """The curve through a kind's cells; None without any.

        Args:
            overhead: bytes a frame of each cell beside its scan, where the curve is over more than scan bytes.
        """
        cells = self.of(kind)
        sizes = [self.figures(cell)[0] + (overhead[cell] if overhead else 0) for cell in cells]
        return RateCurve.through(sizes, [self.figures(cell)[1] for cell in cells]) if cells else None


class Resampler:
    """Draws frames and seeds anew from runs that saw the same frames.

    Frames are drawn once for all runs (paired), with replacement. Seeds are drawn likewise, as a whole, since runs of
    one seed see the same batches: a cell takes the mean of its runs by how often their seed was drawn, or of all its
    runs where none was.
    """

    def __init__(self, runs: Sequence[MeasuredRun]) -> None:
        self._cells = tuple(dict.fromkeys(run.cell for run in runs))
        self._right = np.stack([run.evaluated.outcomes.right for run in runs], 1).astype(np.float64)
        self._scan_bytes = np.stack([run.evaluated.outcomes.scan_bytes for run in runs], 1).astype(np.float64)
        seeds = sorted({run.point.seed for run in runs})
        self._seed_of_run = np.array([seeds.index(run.point.seed) for run in runs])
        self._seeds = len(seeds)
        self._belongs = np.array([[run.cell == cell for run in runs] for cell in self._cells])

    def measured(self) -> Resample:
        """Means over every frame and every run, each counted once."""
        return self._resample(self._right.mean(0), self._scan_bytes.mean(0), np.ones(self._seeds))

    def drawn(self, count: int, seed: int) -> Iterator[Resample]:
        """Draw `count` times; the same seed draws the same."""
        rng = np.random.default_rng(seed)
        frames = len(self._right)
        for start in range(0, count, CHUNK):
            drawn = min(CHUNK, count - start)
            weights = rng.multinomial(frames, np.full(frames, 1 / frames), drawn) / frames
            seeds = rng.multinomial(self._seeds, np.full(self._seeds, 1 / self._seeds), drawn)
            yield from map(self._resample, weights @ self._right, weights @ self._scan_bytes, seeds)

    def _resample(self, right: NDArray[np.float64], sizes: NDArray[np.float64], seeds: NDArray[np.float64]) -> Resample:
        weights = self._belongs * seeds[self._seed_of_run]
        weights = np.where(weights.any(1, keepdims=True), weights, self._belongs)
        weights = weights / weights.sum(1, keepdims=True)
        return Resample(self._cells, weights @ right, weights @ sizes)
