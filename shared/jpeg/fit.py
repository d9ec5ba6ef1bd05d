"""How a picture of another shape is brought to a bundle's: to which size, and which part of it is scaled."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

MOST_SIDE: Final = 4096
LEAST_SHARE: Final = 0.05


class FitMode(StrEnum):
    """What gives way where the shapes differ: the picture's edges, or its proportions."""

    CROP = "crop"
    STRETCH = "stretch"


class Box(NamedTuple):
    """A part of a picture in pixels, fractions included; (x, y) is its upper left corner."""

    x: float
    y: float
    width: float
    height: float


class Framing(Protocol):
    """Which part of a picture becomes another size: a bundle's `Fit`, or a narrower view before it."""

    def box(self, width: int, height: int, to_width: int, to_height: int) -> Box:
        """The part of an upright picture of width x height that becomes to_width x to_height; within the picture."""


@dataclass(frozen=True)
class Fit:
    """The part of an upright picture that is scaled to a size; by default the largest centred part of its aspect.

    Args:
        mode: `crop` keeps proportions and loses what lies outside the part; `stretch` takes the whole picture.
        share: of the largest part, how much of its width and height is kept: 0.05 to 1. Below 1 it cuts off edges
            where nothing of interest stands. `stretch` has no share but 1.

    Raises:
        ValueError: the mode is none of these, or the share is outside its range.
    """

    mode: FitMode = FitMode.CROP
    share: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", FitMode(self.mode))
        if not LEAST_SHARE <= self.share <= 1:
            raise ValueError(f"a share lies between {LEAST_SHARE} and 1: {self.share}")
        if self.mode is FitMode.STRETCH and self.share != 1:
            raise ValueError(f"stretching takes the whole picture, not a share of {self.share}")

    def box(self, width: int, height: int, to_width: int, to_height: int) -> Box:
        """The part of an upright picture of width x height that becomes to_width x to_height.

        It never reaches beyond the picture, not even by a rounding error.
        """
        if self.mode is FitMode.STRETCH:
            return Box(0.0, 0.0, float(width), float(height))
        # Sides from products of whole numbers: a quotient of exact products, rounded, stays within the picture.
        across = min(width, height * to_width / to_height) * self.share
        down = min(height, width * to_height / to_width) * self.share
        return Box((width - across) / 2, (height - down) / 2, across, down)


@dataclass(frozen=True)
class Resize:
    """A size that upright pictures are brought to, and the part of them that becomes it.

    Args:
        height, width: in pixels, 1 to 4096.

    Raises:
        ValueError: a side is outside its range.
    """

    height: int
    width: int
    fit: Framing = Fit()

    def __post_init__(self) -> None:
        if not (1 <= self.height <= MOST_SIDE and 1 <= self.width <= MOST_SIDE):
            raise ValueError(f"pictures are brought to sides of 1 to {MOST_SIDE}, not {self.height} x {self.width}")
