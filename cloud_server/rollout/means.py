"""Means over devices of which some may lie, and how sure they are.

Devices are what was sampled, not frames: frames of one device are alike. So a mean is a ratio over devices with the
variance that its linearisation gives (Cochran, Sampling Techniques, 6.4); no device weighs more than the median one;
and to say that a mean is low, or high, those devices are taken away that speak most against it.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

LYING = 0.02
"""The share of devices that may say anything, in a family or sampled from it: what they alone carry is not believed."""
SAMPLED_SURELY = 0.995
"""How probably a sample has no more of them than are taken away."""
EXTREME = 3.0
"""No device's bytes a frame or encode time counts for more than so many times the median one's."""
ROUNDING = 1e-12
"""What of a change is only rounding."""
TIE = 1e-9
"""What decides between devices that raise a mean equally: who weighs more is left out first, whatever their order."""
Real = NDArray[np.float64]
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """What devices say of one thing.

    Args:
        values, weights: float64 (devices,), of those devices that say anything; weights are above 0.
        least, most: what a device could say at the utmost.
    """

    values: Real
    weights: Real
    least: float
    most: float

    def negated(self) -> "Sample":
        """The same with every value's sign turned."""
        return Sample(values=-self.values, weights=self.weights, least=-self.most, most=-self.least)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean, the variance of its estimate, and the degrees of freedom of that."""

    value: float
    variance: float
    freedom: float


def shares(part: NDArray[np.int64], whole: NDArray[np.int64], least: float = 0.0) -> Sample:
    """What share `part` is of `whole`, by device; `least` is -1 where parts may be below 0."""
    heard = whole > 0
    weights = whole[heard].astype(np.float64)
    return Sample(values=part[heard] / weights, weights=_capped(weights), least=least, most=1.0)


def sizes(total: Real, count: Real) -> Sample:
    """How large one of `count` is, by device."""
    heard = count > 0
    weights = count[heard]
    values = total[heard] / weights
    most = EXTREME * _median(values)
    return Sample(values=np.minimum(values, most), weights=_capped(weights), least=0.0, most=most)


def mean(sample: Sample) -> float:
    """The weighted mean; NaN of nobody."""
    return float(sample.weights @ sample.values / sample.weights.sum()) if sample.values.size else math.nan


def low_mean(sample: Sample) -> Mean | None:
    """The mean as those who want it low may have it: without the devices that raise it most, and with one at `least`.

    The one more device keeps a few that agree from being taken for certainty. None: fewer than two others are left.
    """
    distrusted = distrusted_devices(sample.values.size)
    if sample.values.size < distrusted + 2:
        return None
    kept = np.ones(sample.values.size, dtype=bool)
    kept[_highest(sample, distrusted)] = False
    weights = np.append(sample.weights[kept], sample.weights.max())
    values = np.append(sample.values[kept], sample.least)
    total, devices = weights.sum(), values.size
    value = weights @ values / total
    deviations = weights * (values - value)
    variance = deviations @ deviations / total**2 * devices / (devices - 1)
    return Mean(value=float(value), variance=float(variance), freedom=devices - 2)


def high_mean(sample: Sample) -> Mean | None:
    """The mean as those who want it high may have it; see `low_mean`."""
    low = low_mean(sample.negated())
    return None if low is None else Mean(value=-low.value, variance=low.variance, freedom=low.freedom)


def _capped(weights: Real) -> Real:
    return np.minimum(weights, _median(weights))


def distrusted_devices(devices: int, surely: float = SAMPLED_SURELY) -> int:
    """How many of so many devices may lie: the share that may, and what chance may add to it.

    Args:
        surely: how probably there are no more.
    """
    chance = _NORMAL.inv_cdf(surely) * math.sqrt(devices * LYING * (1 - LYING))
    return math.ceil(devices * LYING + chance)


def _median(array: Real) -> float:
    """The middle one, of two the upper one; 0 of none."""
    middle = array.size // 2
    return float(np.partition(array, middle)[middle]) if array.size else 0.0


def _highest(sample: Sample, devices: int) -> NDArray[np.intp]:
    """The so many devices without which the weighted mean is lowest.

    That is a fractional program, and Dinkelbach's iteration (1967) solves it exactly: each step takes away those that
    raise most what the step before has reached.
    """
    parts, weights = sample.weights * sample.values, sample.weights
    total_part, total_weight, tie = parts.sum(), weights.sum(), TIE * (sample.most - sample.least)
    reached = total_part / total_weight
    while True:
        highest = np.argpartition(parts - (reached - tie) * weights, -devices)[-devices:]
        lower = (total_part - parts[highest].sum()) / (total_weight - weights[highest].sum())
        if lower >= reached - ROUNDING * abs(reached):
            return highest
        reached = lower


def t_quantile(above: float, freedom: float) -> float:
    """What Student's t exceeds with a probability of `above`, at most 0.1, by Wallace's approximation (1959).

    It is never too small by 0.1 %. With 20 degrees of freedom or more it is too large by less than 0.2 %, with fewer by
    more: who relies on it errs towards not being sure.
    """
    z = -_NORMAL.inv_cdf(above) * (8 * freedom + 3) / (8 * freedom + 1)
    return math.sqrt(freedom * math.expm1(min(z**2 / freedom, 500.0)))
