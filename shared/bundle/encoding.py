"""What a camera does with pixels: tables, and how coefficients become levels, in numbers that a bundle can carry."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.jpeg import Encoder, Quantisation, RateDistortion, TableSet

SHAPE = (3, 64)  # Y, Cb, Cr; natural frequency order
NEAREST = 64  # dead zone code of half a step
NAMES = ("dead_zone", "rdo_weights", "zero_mask")


@dataclass(frozen=True, eq=False)
class EncoderSettings:
    """How an encoder makes levels of coefficients: a byte a frequency, so that all ends compute with equal numbers.

    Every array is (3, 64): Y, Cb, Cr in natural frequency order; a read-only copy is kept. Equal settings compare and
    hash equal. The default rounds to the nearest, drops nothing and weighs no bits.

    Args:
        dead_zone: uint8, offset in 1/128 step that is added before rounding down, 0 to 64 (to the nearest).
        zero_mask: bool, true where the level is always zero.
        rdo_weights: uint8, what a unit of squared error is worth in bits (`weights_of`); None: bits are not weighed.

    Raises:
        ValueError: another type or shape, or an offset above half a step.
    """

    dead_zone: NDArray[np.uint8] = field(default_factory=lambda: np.full(SHAPE, NEAREST, np.uint8))
    zero_mask: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(SHAPE, np.bool_))
    rdo_weights: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        _store_copy(self, "dead_zone", np.uint8)
        _store_copy(self, "zero_mask", np.bool_)
        if self.rdo_weights is not None:
            _store_copy(self, "rdo_weights", np.uint8)
        if (self.dead_zone > NEAREST).any():
            raise ValueError(f"dead_zone goes up to {NEAREST} (half a step), not {self.dead_zone.max()}")

    @classmethod
    def nearest(cls, rounding: ArrayLike = 0.5, mask: ArrayLike = False, weights: ArrayLike | None = None) -> Self:
        """The settings nearest to the values given; each number or array broadcasts to (3, 64).

        Args:
            rounding: offsets in steps, 0 to 1/2.
            mask: bool.
            weights: bits a unit of squared error, at least 0; those out of range become the least or largest.

        Raises:
            ValueError: a value is out of range or not a number, or a shape does not fit.
        """
        offsets = _floats("rounding", rounding, 0.5)
        codes = None if weights is None else codes_of(_floats("weights", weights, np.inf))
        flags = np.asarray(mask)
        if flags.dtype != np.bool_:
            raise ValueError(f"the mask must be bool, not {flags.dtype}")
        return cls(np.round(offsets * 2 * NEAREST).astype(np.uint8), np.broadcast_to(flags, SHAPE), codes)

    @property
    def rounding(self) -> NDArray[np.float64]:
        """The dead zone as offsets in steps, float64 (3, 64)."""
        return self.dead_zone / (2 * NEAREST)

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """What a unit of squared error is worth in bits, float64 (3, 64); None where bits are not weighed."""
        return None if self.rdo_weights is None else weights_of(self.rdo_weights)

    def quantisation(self) -> Quantisation:
        """These settings as the codec takes them."""
        weights = self.weights
        rdo = None if weights is None else RateDistortion(multiplier=1, weights=weights)
        return Quantisation(self.rounding, self.zero_mask, rdo)

    def to_json(self) -> dict[str, str | None]:
        """Base64 texts: 192 bytes each; the mask has 24, eight frequencies a byte, the first in the highest bit."""
        weights = None if self.rdo_weights is None else _text(self.rdo_weights)
        mask = _text(np.packbits(self.zero_mask))
        return {"dead_zone": _text(self.dead_zone), "rdo_weights": weights, "zero_mask": mask}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Parse what `to_json` wrote.

        Raises:
            ValueError: a name is missing or unknown, or its text is none that `to_json` writes; says which.
        """
        if not isinstance(value, Mapping) or set(value) != set(NAMES):
            raise ValueError(f"settings are an object of {', '.join(NAMES)}")
        dead_zone = _bytes("dead_zone", value["dead_zone"], 192).reshape(SHAPE)
        mask = np.unpackbits(_bytes("zero_mask", value["zero_mask"], 24)).astype(np.bool_).reshape(SHAPE)
        if value["rdo_weights"] is None:
            return cls(dead_zone, mask)
        return cls(dead_zone, mask, _bytes("rdo_weights", value["rdo_weights"], 192).reshape(SHAPE))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EncoderSettings) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    @property
    def _content(self) -> tuple[bytes, bytes, bytes | None]:
        weights = None if self.rdo_weights is None else self.rdo_weights.tobytes()
        return self.dead_zone.tobytes(), self.zero_mask.tobytes(), weights


@dataclass(frozen=True)
class Encoding:
    """All that decides the bytes a camera makes of pixels.

    Args:
        tables: tables with 4:2:0 sampling.
        settings: how coefficients become levels of these tables.
    """

    tables: TableSet
    settings: EncoderSettings = field(default_factory=EncoderSettings)

    def encoder(self) -> Encoder:
        """An encoder with these tables and settings."""
        return Encoder(self.tables, quantisation=self.settings.quantisation())


def weights_of(codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The weights that codes stand for, float64: (1 + m / 8) * 2^(e - 21), e the upper five bits, m the others; 0 is 0.

    Neighbours differ by 1/15 to 1/8, so that the nearest is at most 6 % away, from 2^-20 to 1920: every step of 1 to
    255, and worths of a squared step from where all is dropped (1/16 bit) to where nothing is (1920 bits). A small
    float and no true logarithm, since these are exact in every arithmetic.
    """
    exponents = (codes >> 3).astype(np.int32) - 24
    return np.where(codes == 0, 0.0, np.ldexp(8.0 + (codes & 7), exponents))


def codes_of(weights: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The codes of the nearest weights, uint8; a weight beyond the largest gets the largest code."""
    values = weights_of(np.arange(256, dtype=np.uint8))
    return np.searchsorted((values[1:] + values[:-1]) / 2, weights, side="right").astype(np.uint8)


def _store_copy(settings: EncoderSettings, name: str, dtype: type[np.generic]) -> None:
    array = getattr(settings, name)
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != SHAPE:
        raise ValueError(f"{name} must be {dtype.__name__} {SHAPE}, not {_kind(array)}")
    own = array.copy(order="C")
    own.setflags(write=False)
    object.__setattr__(settings, name, own)


def _kind(value: object) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def _floats(name: str, values: ArrayLike, most: float) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if not (np.isfinite(array) & (array >= 0) & (array <= most)).all():
        raise ValueError(f"{name} must be finite, at least 0" + (f" and at most {most}" if most < np.inf else ""))
    return np.broadcast_to(array, SHAPE)


def _text(array: NDArray[np.uint8]) -> str:
    return base64.b64encode(array.tobytes()).decode()


def _bytes(name: str, text: object, count: int) -> NDArray[np.uint8]:
    if not isinstance(text, str):
        raise ValueError(f"{name} must be base64 text")  # noqa: TRY004 - every fault of the text is a ValueError
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{name} is not base64: {error}") from error
    if len(data) != count:
        raise ValueError(f"{name} has {len(data)} bytes, not {count}")
    return np.frombuffer(data, np.uint8)
