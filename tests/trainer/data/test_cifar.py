"""CIFAR-100 in its published format: read, split, and every fault named."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainer.data.published import digests, published_pickle, write_published
from trainer.data import cifar
from trainer.errors import DatasetError


def test_the_published_files_are_read_where_the_machine_has_them_and_small_ones_elsewhere(tmp_path: Path) -> None:
    folder = os.environ.get("DCTWIRE_DATA")
    if folder:
        dataset, sizes = cifar.load(Path(folder), seed=1), (45_000, 5_000, 10_000)
    else:
        md5 = write_published(tmp_path)
        dataset, sizes = cifar.load(tmp_path, seed=1, validation=10, md5=md5), (50, 10, 30)
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == sizes
    assert dataset.size == (32, 32)
    assert len(dataset.classes) == 100
    assert dataset.name == f"cifar-100/seed1/validation{sizes[1]}"


def test_pixels_come_out_as_rows_columns_and_rgb(tmp_path: Path) -> None:
    md5 = write_published(tmp_path)
    with (tmp_path / "cifar-100-python" / "test").open("rb") as file:
        planar = pickle.load(file, encoding="bytes")[b"data"]
    pixels = cifar.load(tmp_path, seed=1, validation=10, md5=md5).test.pixels
    assert pixels[4, 2, 7].tolist() == [planar[4, channel * 1024 + 2 * 32 + 7] for channel in range(3)]


def test_validation_is_drawn_by_the_seed_and_shares_nothing_with_train(tmp_path: Path) -> None:
    md5 = write_published(tmp_path)
    one, same, other = (cifar.load(tmp_path, seed=seed, validation=10, md5=md5) for seed in (1, 1, 2))
    assert np.array_equal(one.validation.pixels, same.validation.pixels)
    assert not np.array_equal(one.validation.pixels, other.validation.pixels)
    every = np.concatenate([one.train.pixels, one.validation.pixels]).reshape(60, -1)
    assert len(np.unique(every, axis=0)) == 60


def test_the_folder_itself_may_be_named_too(tmp_path: Path) -> None:
    md5 = write_published(tmp_path)
    assert len(cifar.load(tmp_path / "cifar-100-python", seed=1, validation=10, md5=md5).test) == 30


def test_a_missing_file_is_named_with_where_to_get_it(tmp_path: Path) -> None:
    md5 = write_published(tmp_path)
    (tmp_path / "cifar-100-python" / "test").unlink()
    with pytest.raises(DatasetError, match=r"test: cannot be read.*cifar\.html"):
        cifar.load(tmp_path, seed=1, validation=10, md5=md5)


def test_a_damaged_file_is_refused_before_it_is_unpickled(tmp_path: Path) -> None:
    md5 = write_published(tmp_path)
    path = tmp_path / "cifar-100-python" / "train"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DatasetError, match="not the published file"):
        cifar.load(tmp_path, seed=1, validation=10, md5=md5)


class Opens:
    """A pickle of this runs code when plain pickle.load reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.path), "w"))


def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path: Path) -> None:
    write_published(tmp_path)
    folder = tmp_path / "cifar-100-python"
    (folder / "train").write_bytes(pickle.dumps({b"data": Opens(tmp_path / "proof")}))
    with pytest.raises(DatasetError, match="not allowed in a data file"):
        cifar.load(tmp_path, seed=1, validation=10, md5=digests(folder))
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize(
    "record",
    [
        {b"data": np.zeros((3, 3072), np.uint8), b"fine_labels": [1, 2]},
        {b"data": np.zeros((2, 3072), np.float32), b"fine_labels": [1, 2]},
        {b"data": np.zeros((2, 3000), np.uint8), b"fine_labels": [1, 2]},
        {b"data": np.zeros((2, 3072), np.uint8), b"fine_labels": [1, 100]},
        {b"fine_labels": [1, 2]},
        [1, 2],
    ],
    ids=["counts differ", "floats", "another size", "label out of range", "no pixels", "no dictionary"],
)
def test_a_file_of_another_format_is_refused(tmp_path: Path, record: dict[bytes, Any] | list[int]) -> None:
    write_published(tmp_path)
    folder = tmp_path / "cifar-100-python"
    (folder / "train").write_bytes(published_pickle(record))
    with pytest.raises(DatasetError, match="train"):
        cifar.load(tmp_path, seed=1, validation=1, md5=digests(folder))
