"""How coefficients become levels: rounding, masked frequencies, and rate-distortion optimisation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.jpeg import arguments

FREQUENCIES = 64


@dataclass(frozen=True, eq=False)
class RateDistortion:
    """Rate-distortion optimised quantisation: levels that are not worth their bits are lowered by one or dropped.

    For each block it reduces the sum over AC frequencies of weight * (coefficient - step * level)^2, plus multiplier *
    bits, where the bits are those of the encoder's own codes. The sum is never larger than without it. DC stays.

    Args:
        multiplier: the weighted squared error that one bit is worth, above 0. Errors are those of coefficients (T.81
            A.3.3), not in steps. Usual are 0.1 to 0.15 squared steps: 0.1 to 0.15 where weights are 1 / step^2.
        weights: how much a frequency's squared error matters, at least 0; natural order. One number, or any array
            that broadcasts to (components, 64).
    """

    multiplier: float
    weights: ArrayLike = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.multiplier < np.inf:
            raise ValueError(f"a multiplier of {self.multiplier}: it must be finite and above 0")


@dataclass(frozen=True, eq=False)
class Quantisation:
    """How an encoder turns coefficients into levels: level = sign(x) * floor(|x| / step + rounding).

    Every array is in natural frequency order: one number, or anything that broadcasts to (components, 64). The
    default is libjpeg's rounding to the nearest, halves away from zero.

    Args:
        rounding: offset in steps, 0 to 1/2; the smaller, the wider the dead zone around zero.
        mask: true where the frequency is never coded.
        rdo: rate-distortion optimisation after rounding; None leaves it out.
    """

    rounding: ArrayLike = 0.5
    mask: ArrayLike = False
    rdo: RateDistortion | None = None

    def for_components(self, count: int) -> arguments.Quantisation:
        """These choices in the form that the native module takes.

        Raises:
            ValueError: an array has another shape, or values out of range.
        """
        rounding = _by_frequency("rounding", self.rounding, count)
        if not ((rounding >= 0) & (rounding <= 0.5)).all():
            raise ValueError("rounding offsets must lie between 0 and 1/2 step")
        mask = np.asarray(self.mask)
        if mask.dtype != np.bool_:
            raise ValueError(f"the mask must be bool, not {mask.dtype}")
        if self.rdo is None:
            return arguments.Quantisation(rounding, _by_frequency("mask", mask, count), None)
        weights = _by_frequency("weights", self.rdo.weights, count)
        if not ((weights >= 0) & (weights < np.inf)).all():
            raise ValueError("weights must be finite and at least 0")
        return arguments.Quantisation(rounding, _by_frequency("mask", mask, count), (self.rdo.multiplier, weights))


def _by_frequency(name: str, values: ArrayLike, components: int) -> NDArray[np.float64]:
    """The values as float64 (components, 64)."""
    array = np.asarray(values, np.float64)
    try:
        return np.ascontiguousarray(np.broadcast_to(array, (components, FREQUENCIES)))
    except ValueError:
        raise ValueError(f"{name} of shape {array.shape} for {components} x {FREQUENCIES} frequencies") from None
