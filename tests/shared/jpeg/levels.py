"""Levels of colour pictures in batches."""

import numpy as np
from numpy.typing import NDArray

from shared.jpeg import Encoder
from tests.shared.jpeg.pictures import Pixels


def colour_levels(encoder: Encoder, images: Pixels) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """y int16 (n, 64, h/8, w/8) and c int16 (n, 128, h/16, w/16) of uint8 (n, h, w, 3), by 4:2:0 tables."""
    y, c = encoder.quantise_batch(images)
    assert c is not None
    return y, c
