"""Trees of pictures as people have them: what systems keep beside them, odd names, damage, the same picture twice."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainer.data.picture_trees import picture, write_tree
from trainer.data import Dataset, SplitName, folder
from trainer.data.cache import ArrayCache
from trainer.data.folder import FolderConfig
from trainer.errors import DatasetError

LAYOUTS = {
    "three splits": {"train": 10, "validation": 3, "test": 4},
    "train and val": {"train": 20, "val": 3},
    "train and test": {"train": 20, "test": 3},
    "train alone": {"train": 20},
    "one folder a class": {"": 20},
}
HIDDEN = [".ipynb_checkpoints", ".thumbnails", "@eaDir", "__MACOSX", "lost+found", "$RECYCLE.BIN", ".git"]


def load(root: Path, *, crops: bool = False, seed: int = 1) -> Dataset:
    return folder.load(FolderConfig(root, "pets", 32, seed=seed, crops=crops), ArrayCache(root.parent / "cache"))


def sizes(dataset: Dataset) -> list[int]:
    return [len(dataset.split(name)) for name in SplitName]


def notes(dataset: Dataset, word: str) -> list[str]:
    return [note for note in dataset.notes if word in note]


@pytest.mark.parametrize("splits", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("crops", [False, True], ids=["in memory", "in files"])
def test_what_systems_keep_beside_pictures_is_never_taken(tmp_path: Path, splits: dict[str, int], crops: bool) -> None:
    root = write_tree(tmp_path / "tree", splits)
    before = load(root, crops=crops)
    for place in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        for name in HIDDEN:
            (place / name / "deeper").mkdir(parents=True)
            picture(7).save(place / name / "cat-checkpoint.png")
            picture(8).save(place / name / "deeper" / "dog.png")
        picture(9).save(place / "._000.png", "PNG")
        (place / "Thumbs.db").write_bytes(b"previews")
        (place / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1")
    after = load(root, crops=crops)
    assert (after.name, after.classes, sizes(after)) == (before.name, before.classes, sizes(before))
    assert np.array_equal(after.train.pixels, before.train.pixels)


@pytest.mark.parametrize("splits", [LAYOUTS["train alone"], LAYOUTS["one folder a class"]], ids=["train", "classes"])
def test_without_a_test_folder_a_fifth_of_each_class_is_set_aside_and_said(
    tmp_path: Path, splits: dict[str, int]
) -> None:
    dataset = load(write_tree(tmp_path / "tree", splits))
    assert sizes(dataset) == [29, 3, 8]
    for name in (SplitName.VALIDATION, SplitName.TEST):
        assert set(dataset.split(name).labels.tolist()) == {0, 1}
    assert dataset.test.labels.tolist().count(0) == 4
    every = np.concatenate([dataset.split(name).pixels for name in SplitName]).reshape(40, -1)
    assert len(np.unique(every, axis=0)) == 40
    assert notes(dataset, "no folder test: 8 pictures were drawn")


def test_a_class_of_few_pictures_has_one_in_every_split(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", {"": 30})
    for path in sorted((root / "dog").iterdir())[3:]:
        path.unlink()
    dataset = load(root)
    assert [dataset.split(name).labels.tolist().count(1) for name in SplitName] == [1, 1, 1]


def test_classes_of_three_pictures_each_have_one_in_every_split(tmp_path: Path) -> None:
    dataset = load(write_tree(tmp_path / "tree", {"": 3}))
    for name in SplitName:
        assert sorted(dataset.split(name).labels.tolist()) == [0, 1]


@pytest.mark.parametrize("left", [1, 2])
def test_a_class_that_cannot_be_divided_is_named_with_what_it_needs(tmp_path: Path, left: int) -> None:
    root = write_tree(tmp_path / "tree", {"": 30})
    for path in sorted((root / "dog").iterdir())[left:]:
        path.unlink()
    with pytest.raises(
        DatasetError, match=f"class 'dog' has {left} different pictures in train; it needs 3 at least, for train"
    ):
        load(root)


def test_trains_are_a_class_where_every_folder_is_one(tmp_path: Path) -> None:
    dataset = load(write_tree(tmp_path / "tree", {"": 10}, classes=("bus", "train", "car")))
    assert dataset.classes == ("bus", "car", "train")


@pytest.mark.parametrize("names", [("Train", "Test"), ("training", "testing"), ("test", "val"), ("cat", "test")])
def test_splits_that_are_called_otherwise_are_not_taken_for_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(DatasetError, match="splits are called train, validation"):
        load(write_tree(tmp_path / "tree", dict.fromkeys(names, 3)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (b"caf\xe9", r"'caf\\udce9' is not UTF-8 text: rename"),
        (b"new\nline", r"'new\\nline' has control characters"),
        (b"\x1b[31mred", r"'\\x1b\[31mred' has control characters"),
        (b"x" * 129, r"has 129 characters: at most 128"),
    ],
    ids=["latin-1", "newline", "escape", "long"],
)
def test_a_class_that_no_server_takes_is_refused_before_training(tmp_path: Path, name: bytes, message: str) -> None:
    root = write_tree(tmp_path / "tree", LAYOUTS["train alone"])
    (root / "train" / "dog").rename(root / "train" / os.fsdecode(name))
    with pytest.raises(DatasetError, match=message):
        load(root)
    assert not (tmp_path / "cache").exists()


def test_a_label_that_classes_json_gives_is_held_to_the_same_rule(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", LAYOUTS["three splits"])
    (root / "classes.json").write_text('{"dog": ""}')
    with pytest.raises(DatasetError, match=r"classes\.json: a label is empty: mend it there"):
        load(root)


def test_the_forms_that_systems_give_an_accent_are_one_class(tmp_path: Path) -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    root = write_tree(tmp_path / "tree", {"train": 10, "test": 3}, classes=("bar", decomposed))
    (root / "test" / decomposed).rename(root / "test" / composed)
    dataset = load(root)
    assert dataset.classes == ("bar", composed)
    assert dataset.test.labels.tolist() == [0, 0, 0, 1, 1, 1]
    shutil.copytree(root / "train" / "bar", root / "train" / composed)
    with pytest.raises(DatasetError, match=r"only its Unicode form differs"):
        load(root)


def test_classes_that_differ_in_case_only_are_two_and_said(tmp_path: Path) -> None:
    dataset = load(write_tree(tmp_path / "tree", {"": 10}, classes=("Cat", "cat", "dog")))
    assert dataset.classes == ("Cat", "cat", "dog")
    assert notes(dataset, "'Cat' and 'cat' are different classes")


def test_pictures_may_have_any_name(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", LAYOUTS["three splits"])
    for number, name in enumerate((b"caf\xe9.png", b"new\nline.png", b"-rf.png", b"\xf0\x9f\x90\xb1.PNG")):
        picture(100 + number).save(root / "train" / "cat" / "odd.png")
        (root / "train" / "cat" / "odd.png").rename(root / "train" / "cat" / os.fsdecode(name))
    assert sizes(load(root)) == [24, 6, 8]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def of_words(path: Path) -> None:
    path.write_text("<html>404</html>")


def leading_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "gone.png")


@pytest.mark.parametrize("damage", [cut, emptied, of_words, leading_nowhere])
@pytest.mark.parametrize("crops", [False, True], ids=["in memory", "in files"])
def test_a_picture_that_cannot_be_read_is_left_out_and_named(
    tmp_path: Path, damage: Callable[[Path], None], crops: bool
) -> None:
    root = write_tree(tmp_path / "tree", LAYOUTS["three splits"])
    damage(root / "train" / "dog" / "001.png")
    for _ in range(2):  # the second time from the cache
        dataset = load(root, crops=crops)
        assert sizes(dataset) == [19, 6, 8]
        (note,) = notes(dataset, "1 of 34 pictures cannot be read and are left out")
        assert "train/dog/001.png" in note
        assert len(dataset.train.pixels) == 19


def test_one_picture_that_cannot_be_read_is_a_slip_in_a_small_folder_too(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", {"": 6})
    cut(root / "dog" / "001.png")
    assert sum(sizes(load(root))) == 11


def test_where_many_cannot_be_read_nothing_is_trained_or_kept(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", LAYOUTS["three splits"])
    for number in range(4):
        cut(root / "train" / "dog" / f"00{number}.png")
    with pytest.raises(DatasetError, match=r"4 of 34 pictures cannot be read, more than 5%: .*dog/000\.png.*, \.\.\.$"):
        load(root)
    assert not list((tmp_path / "cache").glob("*.npz"))


def test_pipes_are_no_pictures(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", LAYOUTS["three splits"])
    os.mkfifo(root / "train" / "dog" / "pipe.png")
    assert sizes(load(root)) == [20, 6, 8]


@pytest.mark.parametrize("crops", [False, True], ids=["in memory", "in files"])
def test_the_same_picture_in_two_splits_is_counted_and_named(tmp_path: Path, crops: bool) -> None:
    root = write_tree(tmp_path / "tree", LAYOUTS["three splits"])
    for number in range(2):
        shutil.copy(root / "train" / "cat" / f"00{number}.png", root / "test" / "cat" / f"copy{number}.png")
    with Image.open(root / "train" / "dog" / "003.png") as opened:  # the same pixels in a file of other bytes
        opened.save(root / "validation" / "dog" / "again.bmp")
    dataset = load(root, crops=crops)
    (of_test,) = notes(dataset, "2 of 10 test pictures are in train as well")
    assert "test/cat/copy0.png = train/cat/000.png" in of_test
    assert "the measured accuracy is too high" in of_test
    (of_validation,) = notes(dataset, "1 of 7 validation pictures are in train as well")
    assert "validation/dog/again.bmp = train/dog/003.png" in of_validation
    assert not notes(load(write_tree(tmp_path / "other", LAYOUTS["three splits"])), "as well")


def test_the_same_picture_under_two_classes_is_counted_and_named(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", LAYOUTS["three splits"])
    shutil.copy(root / "train" / "cat" / "001.png", root / "train" / "dog" / "stray.png")
    (note,) = notes(load(root), "pictures that stand under two classes: 1 ")
    assert "train/dog/stray.png = train/cat/001.png" in note


@pytest.mark.parametrize("seed", range(5))
def test_copies_of_a_picture_are_drawn_to_the_same_side(tmp_path: Path, seed: int) -> None:
    root = write_tree(tmp_path / "tree", {"": 20})
    for path in list((root / "cat").iterdir()):
        for number in range(2):
            shutil.copy(path, path.with_name(f"{path.stem}-copy{number}.png"))
    assert not notes(load(root, seed=seed), "as well")
