"""The part of a camera's picture that is looked at, before a bundle's own rule of fitting it."""

from dataclasses import dataclass
from typing import Self

from shared.errors import DctwireError
from shared.jpeg import Box, Fit

LEAST_SIDE = 0.01


class RegionError(DctwireError, ValueError):
    """This is no region of a picture."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"{reason}: a region is X,Y,WIDTH,HEIGHT in shares of the picture, each 0 to 1, within the picture and at "
            f"least {LEAST_SIDE} wide and high, such as 0.25,0,0.5,1"
        )


@dataclass(frozen=True)
class Region:
    """A part of an upright picture, in shares of its width and height: the same part whatever the camera's resolution.

    Args:
        x, y: the upper left corner, 0 to 1.
        width, height: LEAST_SIDE to 1; nothing reaches beyond the picture.

    Raises:
        RegionError: a number is outside its range.
    """

    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        for name, start, side in (("x", self.x, self.width), ("y", self.y, self.height)):
            if not (0 <= start <= 1 and LEAST_SIDE <= side <= 1 and start + side <= 1 + 1e-9):
                raise RegionError(f"{name} is {start:g} and the side {side:g}")

    @classmethod
    def of(cls, text: str) -> Self:
        """The region that `X,Y,WIDTH,HEIGHT` says.

        Raises:
            RegionError: it says none.
        """
        try:
            x, y, width, height = map(float, text.split(","))
        except ValueError as error:
            raise RegionError(repr(text[:80])) from error
        return cls(x, y, width, height)

    def __str__(self) -> str:
        return f"{self.x:g},{self.y:g},{self.width:g},{self.height:g}"


@dataclass(frozen=True)
class RegionFit:
    """A bundle's fit within a region: the region is cut out in whole pixels, and the fit takes its part of that."""

    region: Region
    fit: Fit

    def box(self, width: int, height: int, to_width: int, to_height: int) -> Box:
        """As `Fit.box`, of the whole picture; it never reaches beyond the region."""
        left, right = _whole(self.region.x, self.region.width, width)
        top, bottom = _whole(self.region.y, self.region.height, height)
        part = self.fit.box(right - left, bottom - top, to_width, to_height)
        x, y = left + part.x, top + part.y
        return Box(x, y, min(part.width, right - x), min(part.height, bottom - y))


def _whole(start: float, side: float, pixels: int) -> tuple[int, int]:
    """From which to which pixel; one at least."""
    first = min(round(start * pixels), pixels - 1)
    return first, max(first + 1, min(round((start + side) * pixels), pixels))
