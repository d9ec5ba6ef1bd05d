"""Pictures of one's own, a folder a class: `root/{train,validation,test}/<class>/*.jpg`; ImageNet's folders as well.

A folder's name is its class's label, unless `root/classes.json` gives another: {folder: label}.

Small pictures are decoded once and kept in memory. With `crops` they stay in their files, and an epoch shows some crop
of each.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError

from shared.bundle import LabelsError, check_labels
from shared.jpeg import Fit
from shared.pictures import RULES
from trainer.data import notes
from trainer.data.cache import ArrayCache
from trainer.data.dataset import Dataset, Progress, Rows, Split, SplitName
from trainer.data.draw import drawn
from trainer.data.picture_files import PictureFiles
from trainer.data.picture_tree import Tree, read_tree
from trainer.data.section import Pad, Seed
from trainer.data.survey import Survey, survey
from trainer.errors import DatasetError
from trainer.section import Count, Section

CLASSES_NAME = "classes.json"
TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1  # of train, where the tree has no such split: test first, then validation
NAME_LIMIT = 40  # of the 64 characters that a bundle has for a data set's name
MEMORY_LIMIT_BYTES = 8 << 30
CENTRE_SHARE = 224 / 256  # of the shorter side: what classifiers of ImageNet are usually measured on


class FolderData(Section):
    """Pictures of a user's own.

    Args:
        path: the folder of classes, or with train/ in it; in a recipe's file, from that file on.
        size: pixels that pictures are scaled to, each way; a multiple of 16.
        seed: of what is drawn.
        validation: how many pictures of train are set aside, where there is no folder for them; else a tenth.
        crops: whether pictures stay in their files and each epoch shows some crop of each; `pad` is not used then.
        pad: pixels that training pictures are shifted by at most.
        flip: whether half of them are mirrored left to right; wrong for letters, digits, arrows.
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


def load(config: FolderConfig, cache: ArrayCache, progress: Progress = lambda *_: None) -> Dataset:
    """Find every picture and decode each, at most once a cache; with `crops` they then stay in their files.

    A few that cannot be read are left out. Where there is only one of validation and test, it is the test split. What
    the tree lacks is drawn from train: a fifth for test, a tenth of the rest for validation. What a person should know
    of the pictures is in the data set's notes.

    Raises:
        DatasetError: a folder, a class or its pictures are missing, a class's name can be no label, many pictures
            cannot be read, or memory is too small.
    """
    tree = read_tree(config.root)
    labels = _labels(config.root, tree.classes)
    found = _survey(config, tree, cache, progress)
    splits = _split_rows(config, tree, found)
    name = _name(config, tree, splits)
    pictures = {split: _split(config, tree, found, rows) for split, rows in splits.items()}
    told = (
        *notes.of_unreadable(tree, found),
        *notes.of_drawn(tree, splits),
        *notes.of_twins(tree, splits, found.twins),
        *notes.of_labels(labels),
    )
    return replace(Dataset.of(name, labels, pictures, config.fit), notes=told)


def _labels(root: Path, classes: tuple[str, ...]) -> tuple[str, ...]:
    """The classes' labels: not every label can be a folder's name, nor every folder's name a label."""
    path = root / CLASSES_NAME
    labels, where = classes, root
    if path.exists():
        labels, where = _listed(path, classes), path
    try:
        check_labels(labels)
    except LabelsError as error:
        advice = f"rename the class's folder, or name its label in {CLASSES_NAME}" if where == root else "mend it there"
        raise DatasetError(where, f"{error}: {advice}") from error
    return labels


def _listed(path: Path, classes: tuple[str, ...]) -> tuple[str, ...]:
    try:
        names = TypeAdapter(dict[str, str]).validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        raise DatasetError(path, "should hold a JSON object: the label of each class's folder") from error
    labels = tuple(names.get(name, name) for name in classes)
    twice = [label for label, count in Counter(labels).items() if count > 1]
    if twice:
        raise DatasetError(path, f"gives two folders the same label, {twice[0]!r}")
    return labels


def _survey(config: FolderConfig, tree: Tree, cache: ArrayCache, progress: Progress) -> Survey:
    """What each picture is; decoded anew only where files, their sizes or their times have changed."""
    if not config.crops:
        _check_memory(config, len(tree.names))
    pictures = _files(config, tree.names)
    kind = f"{config.size} {'crops' if config.crops else 'whole'} {RULES}"
    key = _digest([kind, *_stamps(config.root, tree.names)])

    def make() -> Mapping[str, NDArray[np.generic]]:
        return survey(config.root, pictures, keeps_pixels=not config.crops, progress=progress)

    return Survey.of(cache.get(f"folder-{key}", make))


def _split_rows(config: FolderConfig, tree: Tree, found: Survey) -> dict[SplitName, Rows]:
    """Rows of all three splits, of pictures that can be read; those of train and validation in a drawn order."""
    splits = {name: rows[found.readable[rows]] for name, rows in tree.splits.items()}
    _check_classes(config.root, tree, splits)
    if SplitName.VALIDATION in splits and config.validation is not None:
        raise DatasetError(config.root, "has a validation split of its own: leave out [data] validation")
    _check_divisible(config.root, tree, found, splits)
    if SplitName.TEST not in splits:
        count = round(TEST_SHARE * len(splits[SplitName.TRAIN]))
        splits |= _set_aside(config, tree, found, splits[SplitName.TRAIN], SplitName.TEST, count)
    if SplitName.VALIDATION not in splits:
        count = config.validation or int(VALIDATION_SHARE * len(splits[SplitName.TRAIN]))
        splits |= _set_aside(config, tree, found, splits[SplitName.TRAIN], SplitName.VALIDATION, count)
    mix = np.random.default_rng(config.seed)  # the first pictures of a split stand for all of them in many places
    return splits | {name: mix.permutation(splits[name]) for name in (SplitName.TRAIN, SplitName.VALIDATION)}


def _set_aside(
    config: FolderConfig, tree: Tree, found: Survey, train: Rows, which: SplitName, count: int
) -> dict[SplitName, Rows]:
    """Train, and another split drawn from it, each of them with pictures of every class."""
    aside = drawn(tree.labels[train], found.twins[train], count, config.seed)
    lacking = set(tree.labels[train]) - set(tree.labels[train[~aside]])
    if lacking:
        none_left = f"class {tree.classes[min(lacking)]!r} would have none left"
        raise DatasetError(config.root, f"cannot set {count} of {len(train)} pictures aside for {which}: {none_left}")
    return {SplitName.TRAIN: train[~aside], which: train[aside]}


def _check_divisible(root: Path, tree: Tree, found: Survey, splits: Mapping[SplitName, Rows]) -> None:
    """Whether each class has a picture for every split that is drawn from train, and one to train on."""
    train, drawn_splits = splits[SplitName.TRAIN], [name for name in SplitName if name not in splits]
    needed = 1 + len(drawn_splits)
    for label, name in enumerate(tree.classes):
        different = len(np.unique(found.twins[train[tree.labels[train] == label]]))
        if different < needed:
            words = " and ".join(("train", *drawn_splits))
            advice = f"it needs {needed} at least, for {words}: add some, or leave the class out"
            raise DatasetError(root, f"class {name!r} has {different} different pictures in train; {advice}")


def _check_classes(root: Path, tree: Tree, splits: Mapping[SplitName, Rows]) -> None:
    for split, rows in splits.items():
        lacking = [name for label, name in enumerate(tree.classes) if label not in tree.labels[rows]]
        if lacking:
            raise DatasetError(root, f"no picture of class {lacking[0]!r} in {split} can be read")


def _name(config: FolderConfig, tree: Tree, splits: Mapping[SplitName, Rows]) -> str:
    """It tells which pictures, and which draw: another one would mix train with what is measured on."""
    of_split = {tree.names[row]: split for split, rows in splits.items() for row in rows.tolist()}
    identity = [f"{config.seed}", *(f"{of_split[name]}/{name}" for name in tree.names if name in of_split)]
    plain = "".join(character if character.isprintable() else "?" for character in config.name)[:NAME_LIMIT]
    return f"{plain}-{config.size}/{_digest(identity)[:12]}"


def _split(config: FolderConfig, tree: Tree, found: Survey, rows: Rows) -> Split:
    if found.pixels is None:
        return Split(_files(config, [tree.names[row] for row in rows.tolist()]), tree.labels[rows])
    return Split(found.pixels[rows], tree.labels[rows])


def _files(config: FolderConfig, names: Sequence[str]) -> PictureFiles:
    return PictureFiles(config.root, names, config.size, config.fit)


def _check_memory(config: FolderConfig, count: int) -> None:
    needed = count * config.size * config.size * 3
    if needed > MEMORY_LIMIT_BYTES:
        raise DatasetError(
            config.root,
            f"{count} pictures of {config.size} x {config.size} take {needed / 2**30:.1f} GiB, "
            f"more than {MEMORY_LIMIT_BYTES >> 30}: leave them in their files with [data] crops = true",
        )


def _stamps(root: Path, names: Iterable[str]) -> Iterator[str]:
    """Size and modification time of each file, which change when a picture changes."""
    for name in names:
        try:
            stat = (root / name).stat()
        except OSError as error:
            yield f"{name} {error.strerror}"
            continue
        yield f"{name} {stat.st_size} {stat.st_mtime_ns}"


def _digest(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
