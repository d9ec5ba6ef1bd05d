"""The self-test: a picture every device can make, and the JPEG its encoder must turn it into."""

import hashlib

import numpy as np

from shared.bundle.encoding import Encoding
from shared.jpeg import Stream


def selftest_sha256(encoding: Encoding, width: int, height: int, seed: int) -> str:
    """SHA-256, in hex, of the interchange JPEG that `encoding` makes of the self-test picture.

    The picture is SHAKE-256 over the seed's decimal digits, read as uint8 RGB (height, width, 3): noise, so that
    every frequency of every block is used. The same encoding gives the same bytes on every machine: the encoder
    is integer arithmetic, and where bits are weighed, sums and products of doubles in a fixed order.
    """
    noise = hashlib.shake_256(str(seed).encode()).digest(height * width * 3)
    pixels = np.frombuffer(noise, np.uint8).reshape(height, width, 3)
    return hashlib.sha256(encoding.encoder().encode(pixels, Stream.INTERCHANGE)).hexdigest()
