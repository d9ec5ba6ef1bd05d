"""The one door to Pillow: pictures are read from files, and brought to the geometry that the tables were made for."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from shared.errors import PeerError
from shared.jpeg import Sampling

PIXEL_LIMIT = 64 * 1024 * 1024
# What Pillow's readers raise on damaged files: UnidentifiedImageError is an OSError, EOFError comes as it is.
UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)

Pixels = npt.NDArray[np.uint8]
"""A picture: uint8 (height, width, 3) RGB, or (height, width) grey."""


class PictureError(PeerError):
    """This picture cannot be read."""

    code: ClassVar[str] = "unreadable-picture"


def load_pixels(path: Path) -> Pixels:
    """Read a picture file at its own size, turned upright, as uint8 (height, width, 3) RGB.

    Raises:
        PictureError: it cannot be read, or has more than PIXEL_LIMIT pixels.
    """
    try:
        with Image.open(path) as image:
            if image.width * image.height > PIXEL_LIMIT:
                raise PictureError(f"{path}: {image.width} x {image.height} pixels, the limit is {PIXEL_LIMIT}")
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except UNREADABLE as error:
        raise PictureError(f"{path}: {error}") from error


def fitted(pixels: Pixels, sampling: Sampling, size: tuple[int, int] | None = None) -> Pixels:
    """The picture as an encoder of `sampling` takes it: uint8 (h, w) for grey, (h, w, 3) RGB otherwise.

    Args:
        pixels: RGB or grey, of any size.
        size: (width, height) to scale to and crop to in the middle; None keeps the picture's own.
    """
    mode = "L" if sampling is Sampling.GREY else "RGB"
    image = Image.fromarray(pixels)
    if image.mode == mode and size in (None, image.size):
        return pixels
    image = image.convert(mode)
    return np.asarray(image if size is None else ImageOps.fit(image, size, Image.Resampling.LANCZOS))
