"""Pictures in: a folder of files as a simulated camera, brought to the geometry the tables were made for."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from shared.errors import DctwireError, PeerError
from shared.jpeg import Sampling

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".webp"})
PIXEL_LIMIT = 64 * 1024 * 1024
# What Pillow's readers raise on damaged files (UnidentifiedImageError is an OSError, EOF comes bare).
UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)

Pixels = npt.NDArray[np.uint8]


class SourceError(DctwireError):
    """There is nothing to take pictures from."""


class PictureError(PeerError):
    """This file is no picture that can be read."""

    code: ClassVar[str] = "unreadable-picture"


@dataclass(frozen=True)
class Shot:
    """One press of the shutter: a picture file, and the label its folder's name gives it, if any."""

    path: Path
    label: str | None

    def pixels(self, width: int, height: int, sampling: Sampling) -> Pixels:
        """Scaled to cover width x height and cropped in the middle: uint8 (height, width, 3) RGB, grey (h, w).

        Raises:
            PictureError: it cannot be read, or has more than PIXEL_LIMIT pixels.
        """
        return load_pixels(self.path, sampling, (width, height))


class Camera(Protocol):
    """Anything that gives shots until it has no more."""

    def shots(self) -> Iterator[Shot]: ...


class FolderCamera:
    """A folder of pictures, in the order of the numbers in their names (`<label>/<index>.png`), else by name."""

    def __init__(self, folder: Path, loop: bool) -> None:
        """List the folder.

        Raises:
            SourceError: there is no picture in it.
        """
        self._shots = list_shots(folder)
        self._loop = loop

    def __len__(self) -> int:
        return len(self._shots)

    def shots(self) -> Iterator[Shot]:
        yield from self._shots
        while self._loop:
            yield from self._shots


def list_shots(folder: Path) -> list[Shot]:
    """Every picture file below `folder`, in shooting order.

    Raises:
        SourceError: none, or no such folder.
    """
    paths = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    if not paths:
        raise SourceError(f"{folder}: no pictures there ({', '.join(sorted(SUFFIXES))})")
    return [Shot(path, _label(folder, path)) for path in sorted(paths, key=_shooting_order)]


def load_pixels(path: Path, sampling: Sampling, size: tuple[int, int] | None = None) -> Pixels:
    """Read a picture, upright, as uint8 (h, w, 3) RGB, or (h, w) for grey.

    Args:
        size: (width, height) to scale and crop to; None keeps the picture's own.

    Raises:
        PictureError: it cannot be read, or has more than PIXEL_LIMIT pixels.
    """
    try:
        with Image.open(path) as image:
            return _converted(image, sampling, size, path)
    except UNREADABLE as error:
        raise PictureError(f"{path}: {error}") from error


def _converted(image: Image.Image, sampling: Sampling, size: tuple[int, int] | None, path: Path) -> Pixels:
    if image.width * image.height > PIXEL_LIMIT:
        raise PictureError(f"{path}: {image.width} x {image.height} pixels, the limit is {PIXEL_LIMIT}")
    upright = ImageOps.exif_transpose(image).convert("L" if sampling is Sampling.GREY else "RGB")
    if size is not None and upright.size != size:
        upright = ImageOps.fit(upright, size, Image.Resampling.LANCZOS)
    return np.asarray(upright)


def _label(folder: Path, path: Path) -> str | None:
    return path.parent.name if path.parent != folder else None


def _shooting_order(path: Path) -> tuple[bool, int, str]:
    number = re.search(r"(\d+)\D*$", path.stem)
    return (number is None, int(number[1][-18:]) if number else 0, str(path))
