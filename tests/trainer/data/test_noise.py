"""Noise that shows nothing: the same bytes everywhere, and smooth enough for a JPEG camera."""

import hashlib

import numpy as np
import pytest

from trainer.data import noise


def test_it_is_the_same_on_every_machine() -> None:
    # The zoo's golden frames are recognised by it.
    digest = hashlib.sha256(noise.pictures(4, 32, 48).tobytes()).hexdigest()
    assert digest == "6fc466432128b21577d44d72fb80688bd9b2a32d412f7e1237a815ff78a8e674"


@pytest.mark.parametrize(("height", "width"), [(16, 16), (32, 48), (224, 224)])
def test_pictures_have_the_asked_shape_and_differ(height: int, width: int) -> None:
    pictures = noise.pictures(3, height, width)
    assert pictures.shape == (3, height, width, 3)
    assert pictures.dtype == np.uint8
    assert len({picture.tobytes() for picture in pictures}) == 3
    assert np.array_equal(noise.pictures(2, height, width), pictures[:2])


def test_neighbours_are_alike_and_all_grey_levels_occur() -> None:
    pictures = noise.pictures(64, 32, 32).astype(int)
    assert abs(np.diff(pictures, axis=2)).mean() < pictures.std() / 2
    assert (pictures.min(), pictures.max()) == (0, 255)
