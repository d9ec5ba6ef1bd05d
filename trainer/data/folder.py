"""Pictures of one's own, a folder a class: `root/{train,validation,test}/<class>/*.jpg`; ImageNet's folders as well.

A folder's name is its class's label, unless `root/classes.json` gives another: {folder: label}.

Small pictures are decoded once and kept in memory. With `crops` they stay in their files, and an epoch shows some crop
of each.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from shared.jpeg import Fit
from trainer.data.cache import ArrayCache
from trainer.data.dataset import Dataset, Progress, Rows, Split, SplitName, Splits, set_aside
from trainer.data.decoded import decoded_once
from trainer.data.picture_files import SUFFIXES, PictureFiles
from trainer.data.section import Pad, Seed
from trainer.errors import DatasetError
from trainer.section import Count, Section

CLASSES_NAME = "classes.json"
VALIDATION_NAMES = ("validation", "val")
DRAWN = (SplitName.TRAIN, SplitName.VALIDATION)
NAME_LIMIT = 40  # of the 64 characters that a bundle has for a data set's name
MEMORY_LIMIT_BYTES = 8 << 30
CENTRE_SHARE = 224 / 256  # of the shorter side: what classifiers of ImageNet are usually measured on


class FolderData(Section):
    """Pictures of a user's own.

    Args:
        path: the folder with train/ in it, from the data folder on.
        size: pixels that pictures are scaled to, each way.
        validation: how many pictures of train are set aside, where there is no folder for them; else a tenth.
        crops: whether pictures stay in their files and each epoch shows some crop of each; `pad` is not used then.
    """

    name: Literal["folder"]
    path: Annotated[str, Field(min_length=1)]
    size: Annotated[int, Field(ge=16, le=1024, multiple_of=16)]
    seed: Seed = 1
    validation: Count | None = None
    crops: bool = False
    pad: Pad = 4
    flip: bool = True


class ImageNetData(Section):
    """ImageNet in its usual folders, train/<wnid>/*.JPEG and val/<wnid>/*.JPEG; the latter is measured on."""

    name: Literal["imagenet"]
    path: Annotated[str, Field(min_length=1)] = "imagenet"
    size: Annotated[int, Field(ge=16, le=1024, multiple_of=16)] = 224
    seed: Seed = 1
    validation: Count | None = 10_000
    crops: Literal[True] = True
    pad: Literal[0] = 0
    flip: bool = True


@dataclass(frozen=True)
class FolderConfig:
    """Which pictures, and how.

    Args:
        root: the folder that holds train/.
        name: the data set's, to begin with; what the tree holds is appended.
        size: height and width that pictures are scaled to, a multiple of 16.
        validation: how many of train's are drawn by `seed` where there is no validation folder; None: a tenth.
        crops: whether pictures stay in their files.
    """

    root: Path
    name: str
    size: int
    seed: int = 1
    validation: int | None = None
    crops: bool = False

    @property
    def fit(self) -> Fit:
        """What held-out pictures show, and cameras are to show: the middle."""
        return Fit(share=CENTRE_SHARE if self.crops else 1.0)


@dataclass(frozen=True)
class _Files:
    """One split's files, by their names below the root."""

    names: list[str]
    labels: Rows


def load(config: FolderConfig, cache: ArrayCache, progress: Progress = lambda *_: None) -> Dataset:
    """Find every picture; decode them too, at most once a cache, unless they stay in their files.

    Where there is only one of validation and test, it is the test split, and validation is drawn from train.

    Raises:
        DatasetError: a folder, a class or its pictures are missing, a picture is damaged, or memory is too small.
    """
    classes = _classes(config.root / "train")
    found = _found(config.root, classes)
    splits = _splits(config, found)
    drawn = f"{config.seed} {len(splits[SplitName.VALIDATION])}"  # another draw would mix train and validation
    identity = [drawn, *(f"{split}/{name}" for split, files in found.items() for name in files.names)]
    if not config.crops:
        _check_memory(config, sum(map(len, splits.values())))
        key = _digest([f"{config.size}", *identity, *_stamps(config.root, found.values())])
        splits = decoded_once(cache, f"folder-{key}", lambda: splits, progress)
    name = f"{config.name[:NAME_LIMIT]}-{config.size}/{_digest(identity)[:12]}"
    return Dataset.of(name, _labels(config.root, classes), splits, config.fit)


def _classes(train: Path) -> tuple[str, ...]:
    classes = _folders(train)
    if len(classes) < 2:
        raise DatasetError(train, "needs a folder of pictures for each of at least two classes")
    return tuple(classes)


def _labels(root: Path, classes: tuple[str, ...]) -> tuple[str, ...]:
    """The classes' labels: not every label can be a folder's name."""
    path = root / CLASSES_NAME
    if not path.exists():
        return classes
    try:
        names = TypeAdapter(dict[str, str]).validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        raise DatasetError(path, "should hold a JSON object: the label of each class's folder") from error
    labels = tuple(names.get(name, name) for name in classes)
    if len(set(labels)) != len(labels):
        raise DatasetError(path, "gives two folders the same label")
    return labels


def _found(root: Path, classes: tuple[str, ...]) -> dict[SplitName, _Files]:
    """The splits that the tree has; test at least, besides train."""
    validation = next((name for name in VALIDATION_NAMES if (root / name).is_dir()), None)
    folders = {SplitName.TRAIN: "train", SplitName.VALIDATION: validation, SplitName.TEST: "test"}
    if not (root / "test").is_dir():
        folders |= {SplitName.VALIDATION: None, SplitName.TEST: validation}
    if folders[SplitName.TEST] is None:
        raise DatasetError(root, "has no folder test (nor val): set pictures aside that training never sees")
    return {name: _files(root, folder, classes) for name, folder in folders.items() if folder is not None}


def _files(root: Path, split: str, classes: tuple[str, ...]) -> _Files:
    unknown = sorted(set(_folders(root / split)) - set(classes))
    if unknown:
        raise DatasetError(root / split / unknown[0], "is no class of train: add it there or remove it here")
    pictures = [_pictures(root, f"{split}/{name}") for name in classes]
    labels = np.repeat(np.arange(len(classes)), [len(names) for names in pictures])
    return _Files([name for names in pictures for name in names], labels)


def _pictures(root: Path, folder: str) -> list[str]:
    """Names below the root, sorted, of the pictures in a folder and the folders within."""
    found = [
        f"{place}/{file}"
        for place, _, files in os.walk(root / folder)
        for file in files
        if not file.startswith(".") and Path(file).suffix.lower() in SUFFIXES
    ]
    if not found:
        kinds = ", ".join(sorted(SUFFIXES))
        raise DatasetError(root / folder, f"holds no picture ({kinds}): every class of train needs some in every split")
    return sorted(name.removeprefix(f"{root}/") for name in found)


def _splits(config: FolderConfig, found: dict[SplitName, _Files]) -> Splits:
    """Train, validation and test split, none of them decoded yet."""
    splits = {
        name: Split(PictureFiles(config.root, files.names, config.size, config.fit), files.labels)
        for name, files in found.items()
    }
    if SplitName.VALIDATION not in splits:
        train = splits[SplitName.TRAIN]
        count = config.validation or len(train) // 10
        splits |= zip(DRAWN, set_aside(train, count, config.seed, config.root / "train"), strict=True)
    elif config.validation is not None:
        raise DatasetError(config.root, "has a validation split of its own: leave out [data] validation")
    return splits


def _check_memory(config: FolderConfig, count: int) -> None:
    needed = count * config.size * config.size * 3
    if needed > MEMORY_LIMIT_BYTES:
        raise DatasetError(
            config.root,
            f"{count} pictures of {config.size} x {config.size} take {needed / 2**30:.1f} GiB, "
            f"more than {MEMORY_LIMIT_BYTES >> 30}: leave them in their files with [data] crops = true",
        )


def _folders(parent: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in parent.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise DatasetError(parent, f"cannot be read ({error.strerror}): expected here: one folder a class") from error


def _stamps(root: Path, splits: Iterable[_Files]) -> Iterator[str]:
    """Size and modification time of each file, which change when a picture changes."""
    for files in splits:
        for name in files.names:
            stat = (root / name).stat()
            yield f"{name} {stat.st_size} {stat.st_mtime_ns}"


def _digest(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
