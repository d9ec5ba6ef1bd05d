"""A shot that a library has decoded already."""

import numpy as np

from sensor_client.sources.pixel_shot import PixelShot


def test_blue_comes_last_and_grey_stays_grey() -> None:
    blue = np.zeros((2, 3, 3), np.uint8)
    blue[..., 0] = 255

    shot = PixelShot(blue)

    assert shot.pixels()[0, 0].tolist() == [0, 0, 255] and shot.pixels().flags["C_CONTIGUOUS"] and shot.jpeg() is None
    assert PixelShot(blue[..., 0]).pixels().shape == (2, 3)
