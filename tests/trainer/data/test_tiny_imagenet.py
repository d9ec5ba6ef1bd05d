"""Tiny ImageNet in its published format: read, checked, split, decoded once, and every fault named."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainer.data.picture_trees import write_tiny_imagenet
from trainer.data import Dataset, SplitName, tiny_imagenet
from trainer.data.cache import ArrayCache
from trainer.data.tiny_imagenet import Edition
from trainer.errors import DatasetError


def load(folder: Path, edition: Edition, seed: int = 1, validation: int = 6) -> Dataset:
    return tiny_imagenet.load(folder, seed, ArrayCache(folder / "cache"), validation, edition=edition)


def test_the_published_val_pictures_are_the_test_split_and_validation_is_drawn_from_train(tmp_path: Path) -> None:
    dataset = load(tmp_path, write_tiny_imagenet(tmp_path))
    assert [len(dataset.split(name)) for name in SplitName] == [12, 6, 6]
    assert dataset.size == (64, 64)
    assert dataset.classes == ("arch", "goldfish", "frog")
    assert dataset.name == "tiny-imagenet/seed1/validation6"
    every = np.concatenate([dataset.split(name).pixels for name in SplitName]).reshape(24, -1)
    assert len(np.unique(every, axis=0)) == 24


def test_pixels_and_labels_are_the_files_own(tmp_path: Path) -> None:
    dataset = load(tmp_path, write_tiny_imagenet(tmp_path))
    assert dataset.test.labels.tolist() == [0, 1, 2, 0, 1, 2]
    for number, pixels in enumerate(dataset.test.pixels):
        path = tmp_path / "tiny-imagenet-200" / "val" / "images" / f"val_{number}.JPEG"
        assert np.array_equal(pixels, np.asarray(Image.open(path).convert("RGB")))
    train = np.concatenate([dataset.train.pixels, dataset.validation.pixels])
    labels = np.concatenate([dataset.train.labels, dataset.validation.labels])
    third = np.asarray(Image.open(tmp_path / "tiny-imagenet-200/train/n02/images/n02_4.JPEG").convert("RGB"))
    (place,) = np.flatnonzero((train == third).all(axis=(1, 2, 3)))
    assert labels[place] == 2


def test_another_seed_draws_others_for_validation(tmp_path: Path) -> None:
    edition = write_tiny_imagenet(tmp_path)
    one, same, other = (load(tmp_path, edition, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.validation.pixels, same.validation.pixels)
    assert not np.array_equal(one.validation.pixels, other.validation.pixels)


def test_pictures_are_decoded_once_and_then_come_from_the_cache(tmp_path: Path) -> None:
    edition = write_tiny_imagenet(tmp_path)
    first = load(tmp_path, edition)
    for path in tmp_path.rglob("*.JPEG"):
        path.unlink()
    assert np.array_equal(load(tmp_path, edition).train.pixels, first.train.pixels)


def test_a_missing_picture_is_named_with_where_to_get_it(tmp_path: Path) -> None:
    edition = write_tiny_imagenet(tmp_path)
    (tmp_path / "tiny-imagenet-200/train/n01/images/n01_2.JPEG").unlink()
    with pytest.raises(DatasetError, match=r"n01_2\.JPEG: cannot be read.*data fetch tiny-imagenet-200"):
        load(tmp_path, edition)


def test_another_picture_than_the_published_one_is_refused(tmp_path: Path) -> None:
    edition = write_tiny_imagenet(tmp_path)
    Image.new("RGB", (64, 64)).save(tmp_path / "tiny-imagenet-200/val/images/val_1.JPEG")
    with pytest.raises(DatasetError, match="not the published pictures"):
        load(tmp_path, edition)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("val/val_annotations.txt", "val_0.JPEG\tn77\n"),
        ("val/val_annotations.txt", "val_0.JPEG\n"),
        ("words.txt", "n01\tgoldfish\n"),
        ("wnids.txt", "\udcff"),
    ],
)
def test_a_list_of_another_format_is_refused_by_name(tmp_path: Path, name: str, text: str) -> None:
    edition = write_tiny_imagenet(tmp_path)
    (tmp_path / "tiny-imagenet-200" / name).write_text(text, errors="surrogateescape")
    with pytest.raises(DatasetError, match=f"{name}: not the published file"):
        load(tmp_path, edition)


def test_more_pictures_cannot_be_set_aside_than_there_are(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot set 18 of 18 pictures aside"):
        load(tmp_path, write_tiny_imagenet(tmp_path), validation=18)
