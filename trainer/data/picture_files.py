"""Pictures that stay in their files, and are decoded, cropped and scaled when they are asked for.

Pillow lets go of the interpreter lock, so threads share the work.
"""

import io
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.bundle import CENTRE
from shared.jpeg import Fit
from trainer.data import crops
from trainer.data.augment import uniform
from trainer.data.crops import Crop
from trainer.errors import DatasetError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm"})
SPARE = 2  # a JPEG decoder's own scaling, by 2, 4 or 8, leaves at least this many times the pixels that are needed


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

    def _decoded(self, rows: NDArray[np.int64], crop_of: Callable[[int], Crop]) -> NDArray[np.uint8]:
        pixels = np.empty((len(rows), *self.shape[1:]), np.uint8)

        def decode(index: int) -> None:
            path = self._folder / self._names[rows[index]]
            pixels[index] = decoded(path, self.shape[1], crop_of(index))

        for _ in self._threads.map(decode, range(len(rows))):
            pass
        return pixels

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode")


def decoded(path: Path, size: int, crop: Crop) -> NDArray[np.uint8]:
    """A crop of one picture, scaled to uint8 (size, size, 3).

    Grey and palette pictures become RGB, transparency is dropped; what Exif says about turning is not looked at.

    Raises:
        DatasetError: the file is missing, damaged or of an unknown kind.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(path, f"cannot be read: {error.strerror}") from error
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(_scaled(image, size, crop))
    except Exception as error:  # a damaged picture may fail in any way
        raise DatasetError(path, f"cannot be decoded: {error}; mend, replace or remove it") from error


def _scaled(image: Image.Image, size: int, crop: Crop) -> Image.Image:
    width, height = image.size
    box = crop(width, height)
    shrink = min(box.right - box.left, box.bottom - box.top) / (SPARE * size)
    if shrink > 1:
        image.draft(None, (math.ceil(width / shrink), math.ceil(height / shrink)))
    box = box.scaled(image.width / width, image.height / height)
    return _rgb(image).resize((size, size), Image.Resampling.BILINEAR, box=box)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        raise ValueError("more than 8 bits a component value")  # Pillow would cut off, not scale
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return image if image.mode == "RGB" else image.convert("RGB")
