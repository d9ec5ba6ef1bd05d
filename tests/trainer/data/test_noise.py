"""Noise that shows nothing: the same bytes everywhere, and smooth enough for a JPEG camera."""

import hashlib

import numpy as np
import pytest

from trainer.data import noise


def test_it_is_the_same_on_every_machine() -> None:
    # The zoo's golden frames are recognised by it.
    digest = hashlib.sha256(noise.pictures(4, 32, 48).tobytes()).hexdigest()
    assert digest == "a140766bb513e714c36db02b9affb8b039a389a5a949a68058697bd8b256a129"


@pytest.mark.parametrize(("height", "width"), [(16, 16), (32, 48), (224, 224)])
def test_pictures_have_the_asked_shape_and_differ(height: int, width: int) -> None:
    pictures = noise.pictures(3, height, width)
    assert (pictures.shape, pictures.dtype) == ((3, height, width, 3), np.uint8)
    assert len({picture.tobytes() for picture in pictures}) == 3


def test_neighbours_are_alike_and_all_grey_levels_occur() -> None:
    pictures = noise.pictures(64, 32, 32).astype(int)
    assert abs(np.diff(pictures, axis=2)).mean() < pictures.std() / 2
    assert (pictures.min(), pictures.max()) == (0, 255)
