"""CIFAR-100 from a folder in its published Python format (`cifar-100-python/{train,test,meta}`)."""

import hashlib
import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from trainer.data.dataset import Dataset, Split, set_aside
from trainer.data.section import Pad, Seed
from trainer.errors import DatasetError
from trainer.section import Count, Section

FOLDER = "cifar-100-python"
HOME_PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
PUBLISHED_MD5 = {
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "7973b15100ade9c7d40fb424638fde48",
}
SIDE = 32
CLASSES = 100


class CifarData(Section):
    """CIFAR-100 from the data folder."""

    name: Literal["cifar-100-python"]
    seed: Seed = 1
    validation: Count = 5_000
    pad: Pad = 4
    flip: bool = True


def load(data: Path, seed: int, validation: int = 5_000, md5: Mapping[str, str] = PUBLISHED_MD5) -> Dataset:
    """Read and check the three files; validation is a seeded draw from the published training pictures.

    Args:
        data: the folder that holds `cifar-100-python`, or that folder itself.
        md5: what each file's content must hash to.

    Raises:
        DatasetError: a file is missing, not the published one, or not in the published format.
    """
    folder = data / FOLDER if (data / FOLDER).is_dir() else data
    published = _pictures(folder / "train", md5["train"])
    train, drawn = set_aside(published, validation, seed, folder / "train")
    return Dataset(
        name=f"cifar-100/seed{seed}/validation{validation}",  # another draw would mix train and validation
        classes=_class_names(folder / "meta", md5["meta"]),
        train=train,
        validation=drawn,
        test=_pictures(folder / "test", md5["test"]),
    )


def _pictures(path: Path, md5: str) -> Split:
    record = _record(path, md5)
    planar, labels = record.get(b"data"), record.get(b"fine_labels")
    is_planar = isinstance(planar, np.ndarray) and planar.dtype == np.uint8 and isinstance(labels, list)
    if planar is None or labels is None or not is_planar or planar.shape != (len(labels), 3 * SIDE * SIDE):
        raise DatasetError(path, "no uint8 pictures (n, 3072) with n fine labels in it")
    if not all(isinstance(label, int) and 0 <= label < CLASSES for label in labels):
        raise DatasetError(path, f"a fine label is outside 0..{CLASSES - 1}")
    pixels = planar.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return Split(np.ascontiguousarray(pixels), np.array(labels, np.int64))


def _class_names(path: Path, md5: str) -> tuple[str, ...]:
    names = _record(path, md5).get(b"fine_label_names")
    if not (isinstance(names, list) and len(names) == CLASSES and all(isinstance(name, bytes) for name in names)):
        raise DatasetError(path, f"no {CLASSES} fine label names in it")
    return tuple(name.decode() for name in names)


def _record(path: Path, md5: str) -> dict[bytes, Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(path, f"cannot be read; put the Python version of {HOME_PAGE} there") from error
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise DatasetError(path, f"not the published file: its MD5 is {found}, the published one's {md5}")
    try:
        record = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a damaged pickle may fail in any way
        raise DatasetError(path, f"not a pickle of arrays: {error}") from error
    if not isinstance(record, dict):
        raise DatasetError(path, "holds no dictionary")
    return cast(dict[bytes, Any], record)


class _ArraysOnly(pickle.Unpickler):
    """Builds numpy arrays from a pickle and nothing else: a data file must not be able to run code."""

    _ALLOWED = frozenset({("_reconstruct", "multiarray"), ("ndarray", "numpy"), ("dtype", "numpy")})

    def find_class(self, module: str, name: str) -> object:
        if (name, module.rpartition(".")[2]) not in self._ALLOWED or module.partition(".")[0] != "numpy":
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a data file")
        if name == "_reconstruct":  # numpy 2 moved it; files name the old place
            return np._core.multiarray._reconstruct  # type: ignore[attr-defined]
        return getattr(np, name)
