"""Tiny ImageNet from a folder in its published format (`tiny-imagenet-200/{train,val,wnids.txt,words.txt}`).

The published test pictures have no labels: the published validation split is our test split.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from trainer.data.cache import ArrayCache
from trainer.data.dataset import Dataset, Progress, Rows, Split, SplitName, Splits, set_aside
from trainer.data.decoded import decoded_once
from trainer.data.picture_files import PictureFiles
from trainer.data.section import Pad, Seed
from trainer.errors import DatasetError
from trainer.section import Count, Section

FOLDER = "tiny-imagenet-200"
HOME_PAGE = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
SIDE = 64


class TinyImageNetData(Section):
    """Tiny ImageNet from the data folder."""

    name: Literal["tiny-imagenet-200"]
    seed: Seed = 1
    validation: Count = 10_000
    pad: Pad = 8
    flip: bool = True


@dataclass(frozen=True)
class Edition:
    """What the published files are.

    Args:
        per_class: training pictures of each class.
        sha256: over the bytes of all files, those of train first, by class and number, then those of val.
    """

    per_class: int
    sha256: str


PUBLISHED = Edition(500, "f8e3ca4b90707914e992d751a260e28a87b7af2e2301bda45b96dacf9054029e")


def load(
    data: Path,
    seed: int,
    cache: ArrayCache,
    validation: int = 10_000,
    progress: Progress = lambda *_: None,
    edition: Edition = PUBLISHED,
) -> Dataset:
    """Read, check and decode all pictures, at most once a cache; validation is a seeded draw from train.

    Args:
        data: the folder that holds `tiny-imagenet-200`, or that folder itself.
        progress: called with pictures done and in all, while decoding.

    Raises:
        DatasetError: a file is missing, damaged, or not the published one.
    """
    folder = data / FOLDER if (data / FOLDER).is_dir() else data
    wnids = _lines(folder / "wnids.txt")
    key = f"{FOLDER}-{edition.sha256[:16]}-seed{seed}-validation{validation}"
    splits = decoded_once(cache, key, lambda: _splits(folder, wnids, seed, validation, edition), progress)
    name = f"tiny-imagenet/seed{seed}/validation{validation}"  # another draw would mix train and validation
    return Dataset.of(name, _class_names(folder / "words.txt", wnids), splits)


def _splits(folder: Path, wnids: list[str], seed: int, validation: int, edition: Edition) -> Splits:
    """Train, validation and test split: checked, and none of them decoded yet."""
    names = [f"train/{wnid}/images/{wnid}_{number}.JPEG" for wnid in wnids for number in range(edition.per_class)]
    labels = np.repeat(np.arange(len(wnids)), edition.per_class)
    rest, drawn = set_aside(_split(folder, names, labels), validation, seed, folder / "train")
    names_of_val, labels_of_val = _annotations(folder / "val" / "val_annotations.txt", wnids)
    _check(folder, [*names, *names_of_val], edition.sha256)
    test = _split(folder, names_of_val, labels_of_val)
    return {SplitName.TRAIN: rest, SplitName.VALIDATION: drawn, SplitName.TEST: test}


def _split(folder: Path, names: list[str], labels: Rows) -> Split:
    return Split(PictureFiles(folder, names, SIDE), labels)


def _annotations(path: Path, wnids: list[str]) -> tuple[list[str], Rows]:
    """Names and labels of the pictures in val; each line holds the two, perhaps a box, by tabs."""
    label_of = {wnid: label for label, wnid in enumerate(wnids)}
    rows = [line.split("\t") for line in _lines(path)]
    try:
        return [f"val/images/{row[0]}" for row in rows], np.array([label_of[row[1]] for row in rows], np.int64)
    except (IndexError, KeyError) as error:
        raise DatasetError(path, f"not the published file: {error} where a class of wnids.txt should be") from error


def _class_names(path: Path, wnids: list[str]) -> tuple[str, ...]:
    """The first of each class's names."""
    words = dict(line.split("\t", 1) for line in _lines(path) if "\t" in line)
    missing = [wnid for wnid in wnids if wnid not in words]
    if missing:
        raise DatasetError(path, f"not the published file: no name for {missing[0]}")
    return tuple(words[wnid].split(",")[0] for wnid in wnids)


def _check(folder: Path, names: list[str], sha256: str) -> None:
    digest = hashlib.sha256()
    for name in names:
        digest.update(_content(folder / name))
    if digest.hexdigest() != sha256:
        raise DatasetError(folder, "not the published pictures: some were changed or damaged; fetch them again")


def _lines(path: Path) -> list[str]:
    try:
        return _content(path).decode().splitlines()
    except UnicodeDecodeError as error:
        raise DatasetError(path, "not the published file: no UTF-8 text") from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        advice = f"`dctwire-trainer data fetch {FOLDER}`, or unpack {HOME_PAGE} there"
        raise DatasetError(path, f"cannot be read ({error.strerror}): {advice}") from error
