"""Picture files to pixels: limits before decoding, one rule for what is upright, and one error for all that is wrong.

A reader of pictures may fail in any way on bytes that somebody else wrote, so whatever it raises becomes PictureError.
"""

import io
import math
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, UnidentifiedImageError

from shared.jpeg import EOI, Box, Decoder, Limits, UnsupportedJpegError, exif_orientation
from shared.pictures.errors import PictureError
from shared.pictures.fitting import Pixels
from shared.pictures.jpeg_exif import take_exif
from shared.pictures.samples import as_rgb

RULES = 4  # another number where the same file gives other pixels than before: caches of pixels are keyed by it
SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # what a file may hold, whatever its name is
SOI = b"\xff\xd8"  # begins every JPEG
FILE_LIMIT_BYTES = 256 * 1024 * 1024
PIXEL_LIMIT = 64 * 1024 * 1024
SPARE = 2  # a JPEG decoder's own scaling, by 2, 4 or 8, leaves at least this many times the pixels that are needed
FIRST_ON_ITS_SIDE = 5  # orientations from 5 on exchange width and height
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
LIMITS = Limits(max_bytes=FILE_LIMIT_BYTES, max_pixels=PIXEL_LIMIT, max_restarts=PIXEL_LIMIT // 256)

Part: TypeAlias = Callable[[int, int], Box]
"""Which part of an upright picture of this width and height is wanted."""


def load_pixels(path: Path) -> Pixels:
    """Read a picture file at its own size, upright, as uint8 (height, width, 3) RGB.

    Raises:
        PictureError: it cannot be read, is damaged, has over PIXEL_LIMIT pixels or samples that no rule is for.
    """
    with _opened(path) as image:
        return np.asarray(_upright(image))


def load_part(path: Path, size: int, part: Part) -> Pixels:
    """Read a part of a picture file, scaled to uint8 (size, size, 3) RGB; of a large JPEG no more than is needed.

    Raises:
        PictureError: as `load_pixels`.
    """
    with _opened(path) as image:
        if image.format != "JPEG":
            image.load()  # what turns a picture may stand behind its samples
        width, height = image.size[::-1] if _orientation(image) >= FIRST_ON_ITS_SIDE else image.size
        wanted = part(width, height)
        shrink = min(wanted.width, wanted.height) / (SPARE * size)
        if shrink > 1:
            image.draft(None, (math.ceil(image.width / shrink), math.ceil(image.height / shrink)))
        upright = _upright(image)
        x, y = upright.width / width, upright.height / height
        right, bottom = (wanted.x + wanted.width) * x, (wanted.y + wanted.height) * y
        box = (wanted.x * x, wanted.y * y, min(right, upright.width), min(bottom, upright.height))
        return np.asarray(upright.resize((size, size), Image.Resampling.LANCZOS, box=box))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """A picture whose size and samples can be asked for; whatever goes wrong meanwhile becomes PictureError."""
    try:
        content, exif = take_exif(_content(path))
        with Image.open(io.BytesIO(_whole_scans(content)), formats=FORMATS) as image:
            _check_size(image)
            if image.format == "JPEG":
                image.info["exif"] = exif
            yield image
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        raise PictureError.of(path, f"is no {', '.join(FORMATS)} picture") from error
    except Image.DecompressionBombError as error:
        raise PictureError.of(path, f"it has over {PIXEL_LIMIT} pixels, the most that are read") from error
    except OSError as error:
        raise PictureError.of(path, error.strerror or error) from error
    except Exception as error:
        raise PictureError.of(path, error) from error


def _check_size(image: Image.Image) -> None:
    if not 1 <= image.width * image.height <= PIXEL_LIMIT:
        raise ValueError(f"it has {image.width} x {image.height} pixels; 1 to {PIXEL_LIMIT} are read")


def _content(path: Path) -> bytes:
    """A file's bytes. What is no regular file is not opened: a pipe would keep its reader waiting."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise PictureError.of(path, "is no file but a folder, a pipe, a socket or a device")
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        content = file.read(FILE_LIMIT_BYTES + 1)
    if not 0 < len(content) <= FILE_LIMIT_BYTES:
        raise PictureError.of(path, f"{len(content)} bytes; 1 to {FILE_LIMIT_BYTES} are read")
    return content


def _whole_scans(content: bytes) -> bytes:
    """The content; a JPEG is held to its own bits, as a server holds it: Pillow would fill in grey what is missing.

    One that is whole becomes what Pillow takes for one: some cameras leave EOI out or write zeros behind SOI.

    Raises:
        JpegError: a JPEG's blocks do not decode from their own bits, or it has too many scans or pixels.
    """
    if not content.startswith(SOI):
        return content
    try:
        Decoder(limits=LIMITS).decode(content)
    except UnsupportedJpegError:  # such as CMYK: left to Pillow
        return content
    return SOI + content[len(SOI) :].lstrip(b"\0") + EOI


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    turn = TURNS.get(_orientation(image))
    rgb = as_rgb(image)
    return rgb if turn is None else rgb.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """How the samples must be turned, 1 to 8, by `exif_orientation`; a TIFF is turned while it is loaded."""
    if image.format == "TIFF":
        return 1
    block = image.info.get("exif") or _exif_in_text(image.info.get("Raw profile type exif"))
    return exif_orientation(block) if isinstance(block, bytes) else 1


def _exif_in_text(text: object) -> bytes:
    """The block that ImageMagick writes into a PNG's text: a name, a length, and hexadecimal digits."""
    try:
        return bytes.fromhex("".join(str(text).split()[2:]))
    except ValueError:
        return b""
