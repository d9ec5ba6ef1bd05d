"""The self-test: a picture that every device can generate, and the JPEG that its encoder must make of it."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from shared.bundle.encoding import Encoding
from shared.jpeg import Stream

CELLS = {(0, 0): 1, (0, 1): 2, (1, 0): 4, (1, 1): 8}  # pixels a side, by quarter of the picture: down, across


def selftest_sha256(encoding: Encoding, width: int, height: int, seed: int) -> str:
    """SHA-256, in hex, of the interchange JPEG that `encoding` makes of the self-test picture.

    The same encoding gives the same bytes on every machine: the encoder is integer arithmetic, and where bits are
    weighed, sums and products of doubles in a fixed order.
    """
    return hashlib.sha256(encoding.encoder().encode(_picture(width, height, seed), Stream.INTERCHANGE)).hexdigest()


def _picture(width: int, height: int, seed: int) -> NDArray[np.uint8]:
    """Noise, uint8 RGB (height, width, 3): SHAKE-256 over the seed's decimal digits.

    One quarter stays noise, so that every frequency is used; in the others the first pixel of each cell fills the
    cell, so that coarse tables have levels to decide on as well.
    """
    noise = np.frombuffer(hashlib.shake_256(str(seed).encode()).digest(height * width * 3), np.uint8)
    picture = noise.reshape(height, width, 3).copy()
    h, w = height // 2, width // 2
    for (down, across), side in CELLS.items():
        quarter = picture[down * h : (down + 1) * h, across * w : (across + 1) * w]
        quarter[:] = quarter[::side, ::side].repeat(side, 0).repeat(side, 1)
    return picture
