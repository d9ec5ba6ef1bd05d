"""How much worse devices do with the new bundle than with the old one: by how much at least, and at most."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from cloud_server.rollout.means import Mean, Sample, high_mean, low_mean, mean, t_quantile

MISSED = 0.01
"""How probably a harm is ruled out at one look though it is there."""
_Bound = Callable[[Mean, Mean, float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """How much worse the new bundle is; above 0 is worse.

    Args:
        estimate: of all that devices say.
        believed: what is left of it without the devices that speak most for it.
        lower: what it is at least, with the confidence that was asked for.
        upper: what it is at most: it is more with the probability `MISSED`.
    """

    estimate: float
    believed: float
    lower: float
    upper: float


def difference(new: Sample, old: Sample | Mean, alpha: float) -> Harm | None:
    """How much higher the new mean is than the old one; None: too few devices.

    Args:
        old: what devices say, or what is known without them.
    """
    known = old.value if isinstance(old, Mean) else mean(old)
    return _harm(new, old, alpha, mean(new) - known, _difference_bound)


def growth(new: Sample, old: Sample, alpha: float) -> Harm | None:
    """By what share of the old mean the new one is higher; None: too few devices, or the old mean is 0."""
    before = mean(old)
    return _harm(new, old, alpha, mean(new) / before - 1, _growth_bound) if before > 0 else None


def _harm(new: Sample, old: Sample | Mean, alpha: float, estimate: float, bound: _Bound) -> Harm | None:
    low_new, high_new = low_mean(new), high_mean(new)
    low_old, high_old = (old, old) if isinstance(old, Mean) else (low_mean(old), high_mean(old))
    if low_new is None or high_new is None or low_old is None or high_old is None:
        return None
    freedom = min(low_new.freedom, low_old.freedom)
    return Harm(
        estimate=estimate,
        believed=bound(low_new, high_old, 0.0),
        lower=bound(low_new, high_old, -t_quantile(alpha, freedom)),
        upper=bound(high_new, low_old, t_quantile(MISSED, freedom)),
    )


def _difference_bound(new: Mean, old: Mean, t: float) -> float:
    return new.value - old.value + t * math.sqrt(new.variance + old.variance)


def _growth_bound(new: Mean, old: Mean, t: float) -> float:
    """Fieller's bound of a ratio (1954), less 1: where new - ratio * old is t standard errors from 0."""
    a, c = old.value**2 - t**2 * old.variance, new.value**2 - t**2 * new.variance
    if a <= 0:
        return -1.0 if t < 0 else math.inf
    if t < 0 and c <= 0:
        return -1.0
    middle = new.value * old.value
    root = math.sqrt(max(0.0, middle**2 - a * c))
    return (middle + math.copysign(root, t)) / a - 1
