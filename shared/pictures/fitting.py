"""A picture of any size as an encoder takes it."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from shared.jpeg import Fit, Framing, Sampling

Pixels: TypeAlias = npt.NDArray[np.uint8]
"""A picture: uint8 (height, width, 3) RGB, or (height, width) grey."""


def fitted(
    pixels: Pixels,
    sampling: Sampling,
    size: tuple[int, int] | None = None,
    fit: Framing = Fit(),  # noqa: B008 (frozen)
) -> Pixels:
    """The picture as an encoder of `sampling` takes it: uint8 (h, w) for grey, (h, w, 3) RGB otherwise.

    Args:
        pixels: RGB or grey, of any size, upright.
        size: (width, height) that the part which `fit` names is scaled to (Lanczos); None keeps the picture as it is.
    """
    from PIL import Image  # noqa: PLC0415 - Pillow comes with the first pixels: a camera that emits JPEG asks for none

    mode = "L" if sampling is Sampling.GREY else "RGB"
    image = Image.fromarray(pixels)
    if image.mode == mode and size is None:
        return pixels
    if image.mode != mode:  # a copy otherwise
        image = image.convert(mode)
    if size is not None:
        part = fit.box(*image.size, *size)
        box = (part.x, part.y, part.x + part.width, part.y + part.height)
        image = image.resize(size, Image.Resampling.LANCZOS, box=box)
    return np.asarray(image)
