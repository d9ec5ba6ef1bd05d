"""From the samples that a file holds to 8-bit RGB: every kind has a stated rule, or is refused."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

WHITE = 2**16 - 1
STRIP_ROWS = 64  # scaled at a time: what that takes on the way is four times as wide as the samples
PLAIN = frozenset({"1", "L", "P", "PA", "LA", "La", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"})


def as_rgb(image: "Image.Image") -> "Image.Image":
    """A loaded picture as 8-bit RGB.

    Grey, palette and 1-bit samples become RGB, CMYK the complement of its inks; transparency is dropped, since a
    camera's picture has none and what lies under it is the picture. Deep grey is scaled, see `eight_bits`.

    Raises:
        ValueError: there is no rule for samples of this kind.
    """
    if image.mode.startswith("I"):
        from PIL import Image  # noqa: PLC0415 - whoever gives a picture has loaded Pillow

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
    bits = np.empty(deep.shape, np.uint8)
    for top in range(0, len(deep), STRIP_ROWS):
        strip = deep[top : top + STRIP_ROWS].astype(np.uint32)
        bits[top : top + STRIP_ROWS] = (strip * 255 + WHITE // 2) // WHITE
    return bits
