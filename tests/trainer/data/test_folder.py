"""A tree of one's own pictures: splits, classes and names by its folders, in memory or in files; faults are named."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shared.jpeg import Fit
from tests.trainer.data.picture_trees import picture, write_tree
from trainer.data import Dataset, SplitName, folder
from trainer.data.cache import ArrayCache
from trainer.data.folder import FolderConfig
from trainer.errors import DatasetError

THREE = {"train": 10, "validation": 3, "test": 4}


def load(root: Path, crops: bool = False, **settings: Any) -> Dataset:
    config = FolderConfig(root, settings.pop("name", "pets"), settings.pop("size", 32), crops=crops, **settings)
    return folder.load(config, ArrayCache(root.parent / "cache"))


def sizes(dataset: Dataset) -> list[int]:
    return [len(dataset.split(name)) for name in SplitName]


@pytest.mark.parametrize("crops", [False, True], ids=["in memory", "in files"])
def test_a_tree_with_three_splits_is_taken_as_it_is(tmp_path: Path, crops: bool) -> None:
    dataset = load(write_tree(tmp_path / "tree", THREE), crops)
    assert dataset.classes == ("cat", "dog")
    assert sizes(dataset) == [20, 6, 8]
    assert dataset.size == (32, 32)
    assert dataset.fit == Fit(share=224 / 256 if crops else 1)
    assert dataset.test.labels.tolist() == [0] * 4 + [1] * 4
    third = Image.open(tmp_path / "tree" / "test" / "dog" / "002.png")
    side = 40 * (224 / 256 if crops else 1)
    box = (25 - side / 2, 20 - side / 2, 25 + side / 2, 20 + side / 2)
    expected = np.asarray(third.resize((32, 32), Image.Resampling.LANCZOS, box=box))
    assert np.array_equal(dataset.test.take(np.array([6])).pixels[0], expected)


def test_a_lone_val_folder_is_the_test_split_as_imagenet_has_it(tmp_path: Path) -> None:
    dataset = load(write_tree(tmp_path / "tree", {"train": 10, "val": 3}, suffix=".JPEG"), validation=5)
    assert sizes(dataset) == [15, 5, 6]


def test_without_a_validation_folder_a_tenth_of_train_is_drawn_by_the_seed(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", {"train": 20, "test": 3})
    one, same, other = (load(root, seed=seed) for seed in (1, 1, 2))
    assert sizes(one) == [36, 4, 6]
    assert np.array_equal(one.validation.pixels, same.validation.pixels)
    assert not np.array_equal(one.validation.pixels, other.validation.pixels)
    every = np.concatenate([one.split(name).pixels for name in SplitName]).reshape(46, -1)
    assert len(np.unique(every, axis=0)) == 46


def test_pictures_may_lie_deeper_and_other_files_are_not_looked_at(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", THREE)
    (root / "train" / "cat" / "indoors").mkdir()
    picture(99).save(root / "train" / "cat" / "indoors" / "a.PNG")
    for name in ("notes.txt", ".hidden.png", "labels.csv"):
        (root / "train" / "cat" / name).write_text("no picture")
    (root / "train" / ".cache").mkdir()
    assert sizes(load(root)) == [21, 6, 8]


def test_what_is_in_memory_is_decoded_once_and_again_when_a_picture_changes(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", THREE)
    first = load(root)
    assert len(list((tmp_path / "cache").glob("*.npz"))) == 1
    assert np.array_equal(load(root).train.pixels, first.train.pixels)
    Image.new("RGB", (40, 40), "red").save(root / "train" / "cat" / "000.png")
    corners = load(root).train.pixels[:, 0, 0].tolist()
    assert corners.count([255, 0, 0]) == 1


def test_the_name_tells_which_pictures_and_which_draw(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", {"train": 20, "test": 3})
    names = [load(root, seed=seed, validation=count).name for seed, count in ((1, 4), (2, 4), (1, 5))]
    shutil.copytree(root, tmp_path / "copy")
    assert load(tmp_path / "copy", seed=1, validation=4).name == names[0]
    (root / "test" / "dog" / "000.png").unlink()
    names.append(load(root, seed=1, validation=4).name)
    assert len(set(names)) == 4
    assert all(name.startswith("pets-32/") for name in names)
    assert len(load(root, name="x" * 100).name) <= 64


def test_a_missing_tree_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nowhere: cannot be read"):
        load(tmp_path / "nowhere")


def test_one_class_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="at least two classes"):
        load(write_tree(tmp_path / "tree", THREE, classes=("cat",)))


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_an_empty_class_is_named(tmp_path: Path, split: str) -> None:
    root = write_tree(tmp_path / "tree", THREE)
    for path in (root / split / "dog").iterdir():
        path.unlink()
    with pytest.raises(DatasetError, match=f"{split}/dog: holds no picture"):
        load(root)


def test_a_class_that_test_lacks_is_named(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", THREE)
    shutil.rmtree(root / "test" / "cat")
    with pytest.raises(DatasetError, match="test/cat: holds no picture"):
        load(root)


def test_a_class_that_only_test_has_is_named(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", THREE)
    (root / "test" / "emu").mkdir()
    with pytest.raises(DatasetError, match="test/emu: is no class of train"):
        load(root)


def test_a_validation_count_is_refused_where_the_tree_has_a_split_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"leave out \[data\] validation"):
        load(write_tree(tmp_path / "tree", THREE), validation=3)


def test_more_pictures_cannot_be_set_aside_than_there_are(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot set 20 of 20 pictures aside"):
        load(write_tree(tmp_path / "tree", {"train": 10, "test": 3}), validation=20)


def test_a_tree_that_memory_does_not_hold_is_to_stay_in_its_files(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", {"train": 1_500, "test": 1}, suffix=".ppm")
    with pytest.raises(DatasetError, match=r"8\.8 GiB.*crops = true"):
        load(root, size=1024)
    assert sizes(load(root, crops=True, size=16)) == [2_700, 300, 2]


def test_a_folder_may_stand_for_a_label_that_is_no_folder_s_name(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", THREE)
    (root / "classes.json").write_text('{"dog": "Dog / other", "parrot": "unused"}')
    assert load(root).classes == ("cat", "Dog / other")


@pytest.mark.parametrize("content", ["", "[]", '{"cat": 1}', '{"cat": "dog"}', "\\xff"])
def test_a_wrong_list_of_labels_is_named(tmp_path: Path, content: str) -> None:
    root = write_tree(tmp_path / "tree", THREE)
    (root / "classes.json").write_text(content)
    with pytest.raises(DatasetError, match=r"classes\.json"):
        load(root)
