"""Whether a live camera's pictures say that something is wrong with it."""

import numpy as np
import pytest

from sensor_client.sources import Stillness
from sensor_client.sources.stillness import (
    BLANK_GLANCES,
    BLANK_SECONDS,
    FROZEN_GLANCES,
    FROZEN_SECONDS,
    Glance,
    Seen,
    is_blank,
)


def seen(*glances: tuple[float, int, bool]) -> Stillness | None:
    known = Seen()
    for glance in glances:
        known = known.after(Glance(*glance))
    return known.stillness


def test_the_same_picture_is_frozen_after_enough_glances_over_enough_time() -> None:
    step = FROZEN_SECONDS / (FROZEN_GLANCES - 1)
    same = [(index * step, 7, False) for index in range(FROZEN_GLANCES)]

    assert seen() is None and seen(*same[:-1]) is None
    assert seen(*same) is Stillness.FROZEN
    assert seen(*((at / 2, digest, blank) for at, digest, blank in same)) is None
    assert seen((0.0, 7, False), (10 * FROZEN_SECONDS, 7, False)) is None
    assert seen(*same, (2 * FROZEN_SECONDS, 8, False)) is None
    assert seen((0.0, 8, False), *((at + 1, digest, blank) for at, digest, blank in same[:-1])) is None


def test_pictures_of_one_colour_are_blank_though_they_differ_and_one_other_ends_that() -> None:
    step = BLANK_SECONDS / (BLANK_GLANCES - 1)
    blank = [(index * step, index, True) for index in range(BLANK_GLANCES)]

    assert seen(*blank[:-1]) is None and seen(*blank) is Stillness.BLANK
    assert seen(*blank, (BLANK_SECONDS + 1, 99, False)) is None
    assert seen(*blank, (BLANK_SECONDS + 1, 99, False), (BLANK_SECONDS + 2, 98, True)) is None


def test_a_black_picture_that_is_frozen_is_black() -> None:
    assert seen(*((30.0 * index, 1, True) for index in range(20))) is Stillness.BLANK


@pytest.mark.parametrize("level", [0, 128, 255])
def test_noise_makes_no_picture_of_one_colour_another_and_a_lamp_in_the_dark_does(level: int) -> None:
    noise = np.random.default_rng(0).normal(level, 6, (120, 160, 3)).clip(0, 255).astype(np.uint8)
    lamp = noise.copy()
    lamp[50:56, 60:66] = 255 - level if level != 128 else 255

    assert is_blank(noise) and is_blank(noise[..., 0]) and not is_blank(lamp)


def test_small_pictures_and_odd_sizes_are_judged_too() -> None:
    assert is_blank(np.full((3, 5, 3), 9, np.uint8)) and not is_blank(np.arange(15, dtype=np.uint8).reshape(3, 5) * 9)
    assert is_blank(np.full((17, 9), 9, np.uint8))
    coloured = np.zeros((16, 16, 3), np.uint8)
    coloured[:, 8:, 2] = 200
    assert not is_blank(coloured) and not is_blank(coloured[:4, 6:10])
