"""What every picture of a tree is, found by decoding it once: whether it can be read, and which others are the same."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from shared.pictures import shown as shown_path
from trainer.data.cache import Arrays
from trainer.data.dataset import Progress, Rows
from trainer.data.picture_files import PictureFiles
from trainer.errors import DatasetError

AT_ONCE_BYTES = 64 << 20  # of pixels, decoded between two reports of progress
UNREADABLE_SHARE = 0.05  # of all pictures, or one: more than these are no slips
DIGEST_BYTES = 16
SHOWN = 3  # names in a message


@dataclass(frozen=True)
class Survey:
    """A row for each picture of a tree.

    Args:
        faults: text (n,), why a picture cannot be read; empty where it can.
        twins: int64 (n,), equal for pictures whose pixels are the same at the data set's size.
        pixels: uint8 (n, h, w, 3), where pictures are kept in memory.
    """

    faults: NDArray[np.str_]
    twins: Rows
    pixels: NDArray[np.uint8] | None

    @classmethod
    def of(cls, arrays: Arrays) -> "Survey":
        """The survey that `survey` made."""
        _, twins = np.unique(arrays["digests"], axis=0, return_inverse=True)
        pixels = cast(NDArray[np.uint8], arrays["pixels"]) if "pixels" in arrays else None
        return cls(cast(NDArray[np.str_], arrays["faults"]), twins.reshape(-1).astype(np.int64), pixels)

    @property
    def readable(self) -> NDArray[np.bool_]:
        """bool (n,), whether a picture can be read."""
        return np.asarray(self.faults == "")


def survey(root: Path, pictures: PictureFiles, *, keeps_pixels: bool, progress: Progress) -> Arrays:
    """Decode every picture; arrays `faults`, `digests` and perhaps `pixels` for `Survey.of`.

    Raises:
        DatasetError: more pictures than a slip explains cannot be read; counts them and names the first.
    """
    count, *_ = pictures.shape
    faults: list[str] = [""] * count
    digests = np.zeros((count, DIGEST_BYTES), np.uint8)
    pixels = np.zeros(pictures.shape if keeps_pixels else (0,), np.uint8)
    at_once = max(1, AT_ONCE_BYTES // math.prod(pictures.shape[1:]))
    for start in range(0, count, at_once):
        rows = np.arange(start, min(start + at_once, count))
        for row, found in zip(rows.tolist(), _decoded(pictures, rows), strict=True):
            if isinstance(found, DatasetError):
                faults[row] = str(found)
                continue
            digests[row] = np.frombuffer(blake2b(found.tobytes(), digest_size=DIGEST_BYTES).digest(), np.uint8)
            if keeps_pixels:
                pixels[row] = found
        progress(int(rows[-1]) + 1, count)
    _refuse_many(root, [fault for fault in faults if fault], count)
    arrays: dict[str, NDArray[np.generic]] = {"faults": np.array(faults, np.str_), "digests": digests}
    return arrays | ({"pixels": pixels} if keeps_pixels else {})


def shown(names: Sequence[str]) -> str:
    """The first names of a list, with what no terminal shows escaped."""
    words = [shown_path(Path(name)) for name in names[:SHOWN]]
    return ", ".join([*words, *(["..."] if len(names) > SHOWN else [])])


def _decoded(pictures: PictureFiles, rows: Rows) -> Sequence[NDArray[np.uint8] | DatasetError]:
    """Pictures of these rows, all at once where none of them is at fault."""
    try:
        return list(pictures[rows])
    except DatasetError:
        return [_one(pictures, row) for row in rows.tolist()]


def _one(pictures: PictureFiles, row: int) -> NDArray[np.uint8] | DatasetError:
    try:
        return cast(NDArray[np.uint8], pictures[np.array([row])][0])
    except DatasetError as error:
        return error


def _refuse_many(root: Path, faults: Sequence[str], count: int) -> None:
    if len(faults) > max(1, UNREADABLE_SHARE * count):
        raise DatasetError(
            root,
            f"{len(faults)} of {count} pictures cannot be read, more than {UNREADABLE_SHARE:.0%}: {shown(faults)}",
        )
