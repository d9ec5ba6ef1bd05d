"""Augmentation: a readable definition agrees, and a picture looks the same in an epoch whoever computes it."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from trainer.data.augment import augmented, uniform


def pictures(count: int, side: int = 32) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


@pytest.mark.parametrize(("side", "pad"), [(32, 4), (64, 8), (16, 15), (32, 0)])
def test_each_picture_is_a_crop_of_its_reflected_self_mirrored_or_not(side: int, pad: int) -> None:
    pixels, rows = pictures(64, side), np.arange(100, 164)
    padded = np.pad(pixels, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
    down, right, mirror = uniform(rows, 5, 3, 3)
    for index, picture in enumerate(augmented(pixels, rows, seed=5, epoch=3, pad=pad)):
        y, x = int(down[index] * (2 * pad + 1)), int(right[index] * (2 * pad + 1))
        crop = padded[index, y : y + side, x : x + side]
        assert np.array_equal(picture, crop[:, ::-1] if mirror[index] < 0.5 else crop)


def test_neither_the_order_nor_the_size_of_a_batch_changes_a_picture() -> None:
    pixels, rows = pictures(40), np.arange(40)
    whole = augmented(pixels, rows, seed=1, epoch=2, pad=4)
    mixed = np.random.default_rng(1).permutation(40)
    shared = [augmented(pixels[part], rows[part], seed=1, epoch=2, pad=4) for part in np.array_split(mixed, 7)]
    assert np.array_equal(np.concatenate(shared), whole[mixed])


def test_another_process_computes_the_same_numbers() -> None:
    code = "import numpy; from trainer.data.augment import uniform; print(uniform(numpy.arange(9), 3, 4, 2).tolist())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(uniform(np.arange(9), 3, 4, 2).tolist())


def test_numbers_stay_what_they_were_in_the_version_that_made_older_runs() -> None:
    numbers = uniform(np.array([0, 1, 50_000]), 1, 2, 2)
    assert numbers.round(6).tolist() == [[0.898617, 0.084711, 0.549672], [0.392216, 0.842211, 0.646019]]


@pytest.mark.parametrize("other", [{"seed": 2}, {"epoch": 3}])
def test_another_seed_or_epoch_shows_other_views(other: dict[str, Any]) -> None:
    pixels, rows = pictures(200), np.arange(200)
    asked: dict[str, Any] = {"seed": 1, "epoch": 2, "pad": 4}
    one = augmented(pixels, rows, **asked)
    two = augmented(pixels, rows, **(asked | other))
    same = (one == two).all(axis=(1, 2, 3))
    assert same.mean() < 0.05  # by chance: 1 in 162


def test_views_are_drawn_evenly_and_independently() -> None:
    down, right, mirror = uniform(np.arange(50_000), 1, 1, 3)
    cells = np.histogramdd((down, right, mirror), bins=(9, 9, 2), range=((0, 1),) * 3)[0]
    expected = 50_000 / cells.size
    assert ((cells - expected) ** 2 / expected).sum() < 230  # chi-squared with 161 degrees: above in 1 of 4,000 samples
    neighbours = np.corrcoef(down[:-1], down[1:])[0, 1]
    assert abs(neighbours) < 0.02


def test_without_flip_nothing_is_mirrored_and_without_either_nothing_changes() -> None:
    pixels, rows = pictures(50), np.arange(50)
    assert np.array_equal(augmented(pixels, rows, seed=1, epoch=1, pad=0, flip=False), pixels)
    flipped = augmented(pixels, rows, seed=1, epoch=1, pad=0)
    as_is = (flipped == pixels).all(axis=(1, 2, 3))
    mirrored = (flipped == pixels[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (as_is ^ mirrored).all()
    assert 10 < mirrored.sum() < 40


def test_the_pictures_given_are_left_as_they_are() -> None:
    pixels = pictures(20)
    before = pixels.copy()
    augmented(pixels, np.arange(20), seed=1, epoch=1, pad=4)[:] = 0
    assert np.array_equal(pixels, before)
