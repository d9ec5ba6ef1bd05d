"""The self-test: a picture every device can make, and the JPEG its encoder must turn it into."""

import hashlib

import numpy as np

from shared.jpeg import Encoder, Stream, TableSet


def selftest_sha256(tables: TableSet, width: int, height: int, seed: int) -> str:
    """SHA-256, in hex, of the interchange JPEG that `tables` make of the self-test picture.

    The picture is SHAKE-256 over the seed's decimal digits, read as uint8 RGB (height, width, 3): noise, so that
    every frequency of every block is used. The encoder is integer arithmetic throughout, so that the same
    tables give the same bytes on every machine.
    """
    noise = hashlib.shake_256(str(seed).encode()).digest(height * width * 3)
    pixels = np.frombuffer(noise, np.uint8).reshape(height, width, 3)
    return hashlib.sha256(Encoder(tables).encode(pixels, Stream.INTERCHANGE)).hexdigest()
