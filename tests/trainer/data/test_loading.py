"""Batches ahead of their use: the same as without, bounded, and faults come out where they are waited for."""

import threading
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.data.picture_trees import write_tree
from trainer.data import Dataset, Split, folder
from trainer.data.augment import augmented
from trainer.data.cache import ArrayCache
from trainer.data.dataset import Augmentation
from trainer.data.folder import FolderConfig
from trainer.data.loading import ahead, training_batches
from trainer.errors import DatasetError

ORDER = [np.array([5, 2, 9]), np.array([0, 1, 7])]


def in_memory() -> Dataset:
    pixels = np.random.default_rng(1).integers(0, 256, (10, 32, 32, 3), dtype=np.uint8)
    split = Split(pixels, np.arange(10))
    return Dataset("noise", ("a",) * 10, split, split, split, Augmentation(pad=4, flip=True))


def in_files(tmp_path: Path) -> Dataset:
    root = write_tree(tmp_path / "tree", {"train": 6, "validation": 2, "test": 2})
    return folder.load(FolderConfig(root, "pets", 32, crops=True), ArrayCache(tmp_path / "cache"))


def test_pictures_in_memory_are_augmented_as_the_data_set_allows() -> None:
    dataset = in_memory()
    batches = [*training_batches(dataset, ORDER, lambda split: split, seed=1, epoch=2)]
    for rows, batch in zip(ORDER, batches, strict=True):
        expected = augmented(dataset.train.pixels[rows], rows, seed=1, epoch=2, pad=4, flip=True)
        assert np.array_equal(batch.pixels, expected)
        assert batch.labels.tolist() == rows.tolist()


def test_pictures_in_files_show_another_part_each_epoch_and_the_same_one_again_for_the_same(tmp_path: Path) -> None:
    dataset = in_files(tmp_path)
    one, same, other = (
        np.stack([*training_batches(dataset, ORDER, lambda split: split.pixels, seed=1, epoch=epoch)])
        for epoch in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert (one != other).any(axis=(2, 3, 4)).all()


def test_processes_that_share_a_batch_see_together_what_one_would_see() -> None:
    dataset = in_memory()
    (whole,) = training_batches(dataset, [ORDER[0]], lambda split: split.pixels, seed=1, epoch=2)
    shares = [
        next(training_batches(dataset, [share], lambda split: split.pixels, seed=1, epoch=2))
        for share in np.array_split(ORDER[0], 2)
    ]
    assert np.array_equal(np.concatenate(shares), whole)


def test_only_so_many_items_are_made_ahead() -> None:
    made: list[int] = []
    stream = ahead(made.append, range(10), depth=2)
    next(stream)
    next(stream)
    stream.close()
    assert made == list(range(len(made)))
    assert 2 <= len(made) <= 4


def test_items_are_made_while_earlier_ones_are_in_use() -> None:
    second_was_made = threading.Event()

    def make(item: int) -> int:
        if item == 1:
            second_was_made.set()
        return item

    stream = ahead(make, range(3))
    assert next(stream) == 0
    assert second_was_made.wait(10)
    assert list(stream) == [1, 2]


def test_a_fault_comes_out_at_its_batch_and_stops_the_thread(tmp_path: Path) -> None:
    dataset = in_files(tmp_path)
    for path in (tmp_path / "tree" / "train" / "cat").iterdir():
        path.unlink()
    cat, dog = (np.flatnonzero(dataset.train.labels == label)[:1] for label in (0, 1))
    stream = training_batches(dataset, [dog, cat], len, seed=1, epoch=1)
    assert next(stream) == 1
    with pytest.raises(DatasetError, match=r"train/cat/00.\.png"):
        next(stream)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
