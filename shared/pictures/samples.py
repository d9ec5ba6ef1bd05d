"""From the samples that a file holds to 8-bit RGB: every kind has a stated rule, or is refused."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WHITE = 2**16 - 1
PLAIN = frozenset({"1", "L", "P", "PA", "LA", "La", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"})


def as_rgb(image: Image.Image) -> Image.Image:
    """A loaded picture as 8-bit RGB.

    Grey, palette and 1-bit samples become RGB, CMYK the complement of its inks; transparency is dropped, since a
    camera's picture has none and what lies under it is the picture. Deep grey is scaled, see `eight_bits`.

    Raises:
        ValueError: there is no rule for samples of this kind.
    """
    if image.mode.startswith("I"):
        return Image.fromarray(eight_bits(np.asarray(image))).convert("RGB")
    if image.mode not in PLAIN:
        raise ValueError(f"no rule says how bright samples of kind {image.mode} are: save the picture with 8 bits")
    if "transparency" in image.info:
        image = image.convert("RGBA")  # a palette's transparency is lost with a warning otherwise
    return image if image.mode == "RGB" else image.convert("RGB")


def eight_bits(deep: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Grey of up to 16 bits as uint8, rounded to the nearest: 0 is black, and 65535 is white.

    The rule looks at each sample alone: with a range measured in each picture, the same scene would change its
    brightness with whatever else comes into view.

    Args:
        deep: integers (height, width).

    Raises:
        ValueError: a sample is below 0 or above 65535.
    """
    least, most = int(deep.min()), int(deep.max())
    if least < 0 or most > WHITE:
        raise ValueError(f"samples from {least} to {most} do not fit 16 bits: no rule says how bright they are")
    return ((deep.astype(np.uint32) * 255 + WHITE // 2) // WHITE).astype(np.uint8)
