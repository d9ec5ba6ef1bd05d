"""Pictures that stay in their files, and are decoded, cropped and scaled when they are asked for.

Pillow lets go of the interpreter lock, so threads share the work.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.bundle import CENTRE
from shared.jpeg import Fit
from shared.pictures import Part, PictureError, Pixels, load_part
from trainer.data import crops
from trainer.data.augment import uniform
from trainer.errors import DatasetError


class PictureFiles:
    """Indexed like an array uint8 (n, size, size, 3) of RGB pictures.

    Args:
        folder: where the names start.
        names: one file each.
        fit: which part of a picture is shown then.
    """

    def __init__(self, folder: Path, names: Sequence[str], size: int, fit: Fit = CENTRE) -> None:
        self._folder = folder
        self._names = names
        self._fit = fit
        self.shape = (len(names), size, size, 3)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray[np.uint8]:
        """Some pictures.

        Raises:
            DatasetError: a file is missing, damaged or of an unknown kind; names it.
        """
        fitted = crops.fitted(self._fit)
        return self._decoded(np.arange(len(self._names))[rows], lambda _: fitted)

    def only(self, rows: NDArray[np.int64]) -> "PictureFiles":
        """Restrict the collection to some of its files."""
        names = [self._names[row] for row in rows]
        return PictureFiles(self._folder, names, self.shape[1], self._fit)

    def random_crops(self, rows: NDArray[np.int64], *, seed: int, epoch: int, flip: bool) -> NDArray[np.uint8]:
        """Some pictures, each showing a crop that depends on (seed, epoch, row) alone; mirrored or not, if they may be.

        Raises:
            DatasetError: a file is missing, damaged or of an unknown kind; names it.
        """
        *corners, mirror = uniform(rows, seed, epoch, 5)
        places = np.stack(corners, axis=1).tolist()
        pixels = self._decoded(rows, lambda index: crops.anywhere(*places[index]))
        if flip:
            mirrored = mirror < 0.5
            pixels[mirrored] = pixels[mirrored, :, ::-1]
        return pixels

    def _decoded(self, rows: NDArray[np.int64], part_of: Callable[[int], Part]) -> NDArray[np.uint8]:
        pixels = np.empty((len(rows), *self.shape[1:]), np.uint8)

        def decode(index: int) -> None:
            path = self._folder / self._names[rows[index]]
            pixels[index] = decoded(path, self.shape[1], part_of(index))

        for _ in self._threads.map(decode, range(len(rows))):
            pass
        return pixels

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode")


def decoded(path: Path, size: int, part: Part) -> Pixels:
    """A part of one picture, scaled to uint8 (size, size, 3); read as cameras read it, see `shared.pictures`.

    Raises:
        DatasetError: the file is missing, damaged or of an unknown kind.
    """
    try:
        return load_part(path, size, part)
    except PictureError as error:
        raise DatasetError(path, f"cannot be read: {error.reason}; mend, replace or remove it") from error
