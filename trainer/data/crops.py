"""Which crop of a picture of any size is shown: pure geometry."""

import math
from collections.abc import Callable
from typing import NamedTuple

from shared.jpeg import Fit

SMALLEST_AREA = 0.08  # share of the picture that a random crop shows at least: usual for ImageNet (Szegedy et al. 2014)
WIDEST = 4 / 3  # width over height of a random crop, or its inverse


class Box(NamedTuple):
    """A rectangle of a picture, in pixels from its upper left corner."""

    left: float
    top: float
    right: float
    bottom: float

    def scaled(self, x: float, y: float) -> "Box":
        """The same crop of the picture after it has become x times as wide and y times as high."""
        return Box(self.left * x, self.top * y, self.right * x, self.bottom * y)


Crop = Callable[[int, int], Box]  # of a picture of this width and height


def fitted(fit: Fit) -> Crop:
    """What a square frame shows by `fit`, as cameras and servers compute it."""

    def crop(width: int, height: int) -> Box:
        part = fit.box(width, height, 1, 1)
        return Box(part.x, part.y, part.x + part.width, part.y + part.height)

    return crop


def anywhere(area: float, shape: float, x: float, y: float) -> Crop:
    """A rectangle of random area, shape and place, cut off where it is larger than the picture.

    Args:
        area, shape, x, y: each in [0, 1), drawn evenly.
    """

    def crop(width: int, height: int) -> Box:
        pixels = width * height * (SMALLEST_AREA + (1 - SMALLEST_AREA) * area)
        ratio = math.exp((2 * shape - 1) * math.log(WIDEST))
        wide, high = min(width, math.sqrt(pixels * ratio)), min(height, math.sqrt(pixels / ratio))
        left, top = x * (width - wide), y * (height - high)
        return Box(left, top, left + wide, top + high)

    return crop
