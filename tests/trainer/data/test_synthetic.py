"""The generated data set: reproducible picture by picture, disjoint splits, kept on disk by content key."""

from pathlib import Path

import numpy as np
import pytest

from trainer.data import SplitName, scenes, synthetic
from trainer.data.cache import ArrayCache
from trainer.data.synthetic import CLASSES, SyntheticConfig

SMALL = SyntheticConfig(size=32, seed=3, train=40, validation=20, test=30)


@pytest.mark.parametrize("size", [32, 64])
def test_a_picture_does_not_depend_on_how_many_others_are_asked_for(size: int) -> None:
    few = synthetic.generate(SplitName.TEST, 5, size=size, seed=3)
    many = synthetic.generate(SplitName.TEST, scenes.CHUNK + 5, size=size, seed=3)
    assert few.pixels.shape == (5, size, size, 3)
    assert few.pixels.dtype == np.uint8
    assert np.array_equal(few.pixels, many.pixels[:5])
    assert np.array_equal(few.labels, many.labels[:5])


def test_another_seed_split_or_index_gives_another_picture() -> None:
    keys = [(seed, split) for seed in (1, 2) for split in (SplitName.TRAIN, SplitName.TEST)]
    pictures = [synthetic.generate(split, 100, size=32, seed=seed).pixels for seed, split in keys]
    every = np.concatenate(pictures).reshape(400, -1)
    assert len(np.unique(every, axis=0)) == 400


def test_splits_share_no_picture(tmp_path: Path) -> None:
    dataset = synthetic.load(SMALL, ArrayCache(tmp_path))
    every = np.concatenate([dataset.split(name).pixels for name in SplitName]).reshape(90, -1)
    assert [len(dataset.split(name)) for name in SplitName] == [40, 20, 30]
    assert len(np.unique(every, axis=0)) == 90


def test_every_class_occurs_about_equally_often() -> None:
    labels = synthetic.generate(SplitName.TRAIN, 3200, size=32, seed=1).labels
    counts = np.bincount(labels, minlength=len(CLASSES))
    assert len(counts) == len(CLASSES) == 32
    assert counts.min() > 60
    assert counts.max() < 145


def test_backgrounds_have_the_falling_spectrum_of_natural_pictures() -> None:
    luma = synthetic.generate(SplitName.TRAIN, 256, size=64, seed=1).pixels.mean(axis=3)
    spectrum = np.abs(np.fft.rfft2(luma - luma.mean(axis=(1, 2), keepdims=True))).mean(axis=0)
    octaves = [spectrum[0, low : 2 * low].mean() for low in (1, 2, 4, 8)]
    assert octaves == sorted(octaves, reverse=True)
    assert octaves[0] > 4 * octaves[-1]


def test_progress_counts_every_picture_of_every_split(tmp_path: Path) -> None:
    seen = []
    synthetic.load(SMALL, ArrayCache(tmp_path), lambda done, total: seen.append((done, total)))
    assert seen == [(40, 90), (60, 90), (90, 90)]


def test_the_name_says_what_was_generated() -> None:
    assert SMALL.name == "synthetic-32/v1/seed3"
    assert SMALL.key != SyntheticConfig(size=32, seed=4, train=40, validation=20, test=30).key
