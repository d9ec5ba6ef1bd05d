"""A picture of any size as an encoder takes it."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from shared.jpeg import Fit, Sampling

Pixels: TypeAlias = npt.NDArray[np.uint8]
"""A picture: uint8 (height, width, 3) RGB, or (height, width) grey."""


def fitted(
    pixels: Pixels,
    sampling: Sampling,
    size: tuple[int, int] | None = None,
    fit: Fit = Fit(),  # noqa: B008 (frozen)
) -> Pixels:
    """The picture as an encoder of `sampling` takes it: uint8 (h, w) for grey, (h, w, 3) RGB otherwise.

    Args:
        pixels: RGB or grey, of any size, upright.
        size: (width, height) that the part which `fit` names is scaled to (Lanczos); None keeps the picture as it is.
    """
    mode = "L" if sampling is Sampling.GREY else "RGB"
    image = Image.fromarray(pixels)
    if image.mode == mode and size is None:
        return pixels
    image = image.convert(mode)
    if size is not None:
        part = fit.box(*image.size, *size)
        box = (part.x, part.y, part.x + part.width, part.y + part.height)
        image = image.resize(size, Image.Resampling.LANCZOS, box=box)
    return np.asarray(image)
