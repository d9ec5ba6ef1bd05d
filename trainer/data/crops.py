"""Which crop of a picture of any size is shown: pure geometry."""

import math

from shared.jpeg import Box, Fit
from shared.pictures import Part

SMALLEST_AREA = 0.08  # share of the picture that a random crop shows at least: usual for ImageNet (Szegedy et al. 2014)
WIDEST = 4 / 3  # width over height of a random crop, or its inverse


def fitted(fit: Fit) -> Part:
    """What a square frame shows by `fit`, as cameras and servers compute it."""
    return lambda width, height: fit.box(width, height, 1, 1)


def anywhere(area: float, shape: float, x: float, y: float) -> Part:
    """A rectangle of random area, shape and place, cut off where it is larger than the picture.

    Args:
        area, shape, x, y: each in [0, 1), drawn evenly.
    """

    def crop(width: int, height: int) -> Box:
        pixels = width * height * (SMALLEST_AREA + (1 - SMALLEST_AREA) * area)
        ratio = math.exp((2 * shape - 1) * math.log(WIDEST))
        wide, high = min(width, math.sqrt(pixels * ratio)), min(height, math.sqrt(pixels / ratio))
        left, top = x * (width - wide), y * (height - high)
        return Box(left, top, wide, high)

    return crop
