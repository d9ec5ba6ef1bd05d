"""Where a tree's pictures are: its classes, and the files of each of its splits, by the names of folders alone.

Two layouts: `root/{train,validation,test}/<class>/`, and `root/<class>/`, of which every split is drawn.
"""

import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.pictures import SUFFIXES
from trainer.data.dataset import Rows, SplitName
from trainer.errors import DatasetError

TRAIN, TEST, VALIDATION_NAMES = "train", "test", ("validation", "val")
SPLIT_WORDS = frozenset({"train", "training", "validation", "valid", "val", "test", "testing"})
# What systems and programs keep beside pictures: previews, copies, wastebaskets. Names in lower case.
SYSTEM_NAMES = frozenset(
    {"@eadir", "@recycle", "@tmp", "#recycle", "#snapshot", "$recycle.bin", "__macosx", "__pycache__", "lost+found"}
    | {"system volume information", "thumbs.db", "desktop.ini"}
)


@dataclass(frozen=True)
class Tree:
    """The pictures of a tree.

    Args:
        classes: names of the classes' folders in Unicode's normal form C, sorted.
        names: every picture's file, below the root; split by split, class by class.
        labels: int64 (n,), indices into `classes`.
        splits: rows of the splits that the tree has; train at least.
    """

    classes: tuple[str, ...]
    names: tuple[str, ...]
    labels: Rows
    splits: Mapping[SplitName, Rows]


def read_tree(root: Path) -> Tree:
    """Find every picture. Hidden files and folders, and those that systems keep, are passed over at every level.

    Raises:
        DatasetError: a folder cannot be read, there are fewer than two classes, or a split lacks or adds a class.
    """
    places = _places(root)
    classes = _folders(places[SplitName.TRAIN])
    if len(classes) < 2:
        raise DatasetError(places[SplitName.TRAIN], _too_few(places[SplitName.TRAIN], [*classes]))
    names: list[str] = []
    labels: list[int] = []
    splits: dict[SplitName, Rows] = {}
    for split, place in places.items():
        first = len(names)
        for label, pictures in enumerate(_pictures(root, place, tuple(classes))):
            names += pictures
            labels += [label] * len(pictures)
        splits[split] = np.arange(first, len(names))
    return Tree(tuple(classes), tuple(names), np.array(labels, np.int64), splits)


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is none of the user's pictures or classes."""
    return name.startswith(".") or name.casefold() in SYSTEM_NAMES


def _too_few(folder: Path, classes: list[str]) -> str:
    loose = sum(_is_picture(path) for path in folder.iterdir())
    if classes:
        found = f"has one class, {classes[0]!r}"
    elif loose:
        found = f"has {loose} pictures and no folders"
    else:
        found = "is empty of pictures"
    return f"{found}: it needs a folder of pictures for each of at least two classes"


def _train(root: Path) -> Path:
    """The folder that holds the classes to learn: root/train, or root itself where no folder is called like a split.

    A folder `train` that holds no folders, beside others, is a class: pictures of trains.
    """
    folders = _folders(root)
    others = [name for name in folders if name.casefold() not in SPLIT_WORDS]
    if TRAIN in folders and (_folders(root / folders[TRAIN]) or not others):
        return root / TRAIN
    called = [name for name in folders if name.casefold() in SPLIT_WORDS and name != TRAIN]
    if called:
        words = ", ".join(map(repr, called))
        raise DatasetError(
            root,
            f"has {words} but no folder train with the classes: splits are called train, validation (or val), test",
        )
    return root


def _places(root: Path) -> dict[SplitName, Path]:
    """The folder of each split that the tree has. A lone val is what is measured on, as ImageNet has it."""
    train = _train(root)
    if train == root:
        return {SplitName.TRAIN: root}
    places = {SplitName.TRAIN: train}
    validation = next((name for name in VALIDATION_NAMES if (root / name).is_dir()), None)
    if (root / TEST).is_dir():
        places |= {SplitName.VALIDATION: root / validation} if validation else {}
        return places | {SplitName.TEST: root / TEST}
    return places | ({SplitName.TEST: root / validation} if validation else {})


def _pictures(root: Path, place: Path, classes: tuple[str, ...]) -> list[list[str]]:
    """Names below the root of one split's pictures, sorted, class by class."""
    folders = _folders(place)
    unknown = [name for name in folders if name not in classes]
    if unknown:
        raise DatasetError(place / folders[unknown[0]], "is no class of train: add it there or remove it here")
    return [_pictures_within(root, place / folders.get(name, name)) for name in classes]


def _pictures_within(root: Path, folder: Path) -> list[str]:
    """Names of the pictures in a folder and the folders within."""

    def refuse(error: OSError) -> None:
        if Path(error.filename) != folder or folder.exists():
            raise DatasetError(Path(error.filename), f"cannot be read: {error.strerror}") from error

    found = []
    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not is_hidden(name)]
        found += [str(path) for file in files if _is_picture(path := Path(place, file))]
    if not found:
        kinds = ", ".join(sorted(SUFFIXES))
        raise DatasetError(folder, f"holds no picture ({kinds}): every class of train needs some in every split")
    return sorted(name.removeprefix(f"{root}/") for name in found)


def _is_picture(path: Path) -> bool:
    """By its name; pipes and sockets are none, a link to nowhere is one that cannot be read."""
    has_name = not is_hidden(path.name) and path.suffix.lower() in SUFFIXES
    return has_name and (path.is_file() or not path.exists())


def _folders(parent: Path) -> dict[str, str]:
    """The folders in a folder: each name in Unicode's normal form C, sorted, and as it is on the disk."""
    try:
        names = [entry.name for entry in os.scandir(parent) if entry.is_dir() and not is_hidden(entry.name)]
    except OSError as error:
        raise DatasetError(parent, f"cannot be read ({error.strerror}): expected here: one folder a class") from error
    by_name: dict[str, str] = {}
    for name in sorted(names):
        normal = unicodedata.normalize("NFC", name)
        if normal in by_name:
            other = parent / by_name[normal]
            raise DatasetError(
                parent / name,
                f"looks like {other.name!a}, only its Unicode form differs: put both into one folder",
            )
        by_name[normal] = name
    return dict(sorted(by_name.items()))
