"""Accuracy as a function of bytes: at equal bytes, at equal accuracy, and on average (BD-rate). One door to SciPy.

A curve goes through measured points, accuracy over the logarithm of bytes, by monotone cubic interpolation (PCHIP, as
JVET's BD-rate has it): between neighbours it never leaves their range, so that no gain comes from an overshoot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

MARGIN = 0.03  # share of the bytes that a curve may be read beyond its ends: budgets are met to 2 %, not exactly


@dataclass(frozen=True)
class RateCurve:
    """Measured points as a monotone curve.

    Args:
        log_bytes: float64 (k,), natural logarithm, growing.
        accuracy: float64 (k,), growing.
        ends: fewest and most bytes that were measured.
    """

    log_bytes: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    ends: tuple[float, float]

    @classmethod
    def through(cls, sizes: Sequence[float], accuracies: Sequence[float]) -> Self:
        """The curve of points in any order.

        Where accuracy does not grow with bytes, neighbours become one point at their mean until it does (pool adjacent
        violators): such points tell nothing but noise apart.
        """
        pools: list[tuple[float, float, int]] = []  # log bytes, accuracy, points
        for size, accuracy in sorted(zip(sizes, accuracies, strict=True)):
            pool = (float(np.log(size)), float(accuracy), 1)
            while pools and (pool[1] <= pools[-1][1] or pool[0] <= pools[-1][0]):
                pool = _pooled(pools.pop(), pool)
            pools.append(pool)
        ends = (float(min(sizes)), float(max(sizes)))
        return cls(np.array([pool[0] for pool in pools]), np.array([pool[1] for pool in pools]), ends)

    @property
    def highest(self) -> float:
        """The accuracy that the curve ends at."""
        return float(self.accuracy[-1])

    def accuracy_at(self, size: float, margin: float = MARGIN) -> float | None:
        """Accuracy at so many bytes; None more than a margin beyond either end.

        Where an end was pooled with its neighbours, the curve is level beyond them.
        """
        if not self.ends[0] * (1 - margin) <= size <= self.ends[1] * (1 + margin):
            return None
        low, high = self.log_bytes[0] - np.log1p(MARGIN), self.log_bytes[-1] + np.log1p(MARGIN)
        return float(self._by_bytes(np.clip(np.log(size), low, high)))

    def bytes_at(self, accuracy: float) -> float | None:
        """Bytes for such an accuracy; None where no point is as low or as high."""
        if not self.accuracy[0] <= accuracy <= self.accuracy[-1]:
            return None
        return float(np.exp(self._by_accuracy(accuracy)))

    def mean_log_bytes(self, low: float, high: float) -> float:
        """Mean of log bytes over the accuracies from `low` to `high`, which the curve must reach."""
        return float(self._by_accuracy.integrate(low, high)) / (high - low)

    @cached_property
    def _by_bytes(self) -> Any:  # SciPy has no types
        return _pchip(self.log_bytes, self.accuracy)

    @cached_property
    def _by_accuracy(self) -> Any:
        return _pchip(self.accuracy, self.log_bytes)


@dataclass(frozen=True)
class BdRate:
    """Mean difference of log bytes at equal accuracy, as a share: -0.3 is 30 % fewer bytes.

    Args:
        low, high: accuracies that both curves reach, over which the mean is taken.
    """

    value: float
    low: float
    high: float


def bd_rate(ours: RateCurve, theirs: RateCurve) -> BdRate | None:
    """Bjontegaard's delta rate (VCEG-M33) with accuracy as quality; None where no two points' span is shared."""
    low = max(ours.accuracy[0], theirs.accuracy[0])
    high = min(ours.accuracy[-1], theirs.accuracy[-1])
    if not low < high:
        return None
    difference = ours.mean_log_bytes(low, high) - theirs.mean_log_bytes(low, high)
    return BdRate(float(np.expm1(difference)), float(low), float(high))


def _pooled(left: tuple[float, float, int], right: tuple[float, float, int]) -> tuple[float, float, int]:
    count = left[2] + right[2]
    means = [(left[2] * a + right[2] * b) / count for a, b in zip(left[:2], right[:2], strict=True)]
    return means[0], means[1], count


def _pchip(x: NDArray[np.float64], y: NDArray[np.float64]) -> Any:
    """SciPy's monotone cubic interpolation through at least two points; one point alone gives a constant."""
    from scipy.interpolate import PchipInterpolator  # noqa: PLC0415  # half a second that only comparisons need

    return PchipInterpolator(x, y) if len(x) > 1 else lambda _: y[0]
