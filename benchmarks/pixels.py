"""Pictures as servers that want pixels get them: a camera's ordinary JPEG files, and what their nets are fed."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

QUALITY = 75  # libjpeg's default, and Pillow's; 4:2:0
# ImageNet's statistics of pixels in 0..1, as every torchvision model wants them
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_GAIN = 1 / (255 * DEVIATION)
_OFFSET = MEAN / DEVIATION


def jpeg_file(pixels: NDArray[np.uint8]) -> bytes:
    """RGB uint8 (h, w, 3) as an ordinary JPEG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def decoded(jpeg: bytes) -> NDArray[np.uint8]:
    """A JPEG file's pixels, RGB uint8 (h, w, 3)."""
    with Image.open(io.BytesIO(jpeg)) as picture:
        return np.asarray(picture.convert("RGB"))


def normalised(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 (..., h, w, 3) as a net's input, float32 (..., 3, h, w)."""
    return np.ascontiguousarray(np.moveaxis(pixels * _GAIN - _OFFSET, -1, -3))


def as_received(pictures: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures of one size as they come out of their JPEG files, uint8 (n, h, w, 3)."""
    return np.stack([decoded(jpeg_file(picture)) for picture in pictures])
