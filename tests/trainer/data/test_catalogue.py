"""Data sets by the [data] section of a recipe."""

from pathlib import Path

import numpy as np
import pytest

from tests.trainer.data.picture_trees import write_tree
from trainer.data import SplitName
from trainer.data.cache import ArrayCache
from trainer.data.catalogue import Catalogue, parse_section
from trainer.data.dataset import Augmentation
from trainer.errors import DatasetError, RecipeError

SYNTHETIC = {"name": "synthetic", "seed": 3, "train": 40, "validation": 20, "test": 30}


def catalogue(tmp_path: Path, data: Path | None = None) -> Catalogue:
    return Catalogue(data, ArrayCache(tmp_path / "cache"))


def test_a_section_says_which_pictures_and_how_they_may_vary(tmp_path: Path) -> None:
    write_tree(tmp_path / "pets", {"train": 5, "validation": 2, "test": 2})
    section = parse_section({"name": "folder", "path": "pets", "size": 48, "pad": 6})
    dataset = catalogue(tmp_path, tmp_path).load(section)
    assert dataset.name.startswith("pets-48/")
    assert dataset.augmentation == Augmentation(pad=6, flip=True)
    assert catalogue(tmp_path).load(parse_section(SYNTHETIC)).augmentation == Augmentation(pad=0, flip=False)


def test_imagenets_folders_need_no_more_than_their_name(tmp_path: Path) -> None:
    write_tree(tmp_path / "imagenet", {"train": 5, "val": 2}, classes=("n01440764", "n01443537"), suffix=".JPEG")
    dataset = catalogue(tmp_path, tmp_path).load(parse_section({"name": "imagenet", "validation": 3}))
    assert dataset.size == (224, 224)
    assert [len(dataset.split(name)) for name in SplitName] == [7, 3, 4]
    assert dataset.classes == ("n01440764", "n01443537")


def test_a_folder_may_lie_anywhere(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "pets", {"train": 5, "validation": 2, "test": 2})
    section = parse_section({"name": "folder", "path": str(root), "size": 32})
    assert len(catalogue(tmp_path).load(section).test) == 4


@pytest.mark.parametrize("name", ["cifar-100-python", "tiny-imagenet-200", "imagenet"])
def test_without_a_data_folder_the_message_says_what_is_needed(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecipeError, match=f"needs --data-dir .*: a folder with {name}"):
        catalogue(tmp_path).load(parse_section({"name": name}))


@pytest.mark.parametrize("name", ["cifar-100-python", "tiny-imagenet-200", "imagenet"])
def test_in_an_empty_data_folder_the_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        catalogue(tmp_path, tmp_path).load(parse_section({"name": name}))


def test_some_pictures_of_a_generated_split_are_the_whole_ones_first(tmp_path: Path) -> None:
    some, classes, name = catalogue(tmp_path).pictures(parse_section(SYNTHETIC), SplitName.TEST, 5)
    whole = catalogue(tmp_path).load(parse_section(SYNTHETIC))
    assert np.array_equal(some.pixels, whole.test.pixels[:5])
    assert (classes, name) == (whole.classes, whole.name)
