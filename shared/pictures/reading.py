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
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from shared.jpeg import EOI, Box, Decoder, UnsupportedJpegError, exif_orientation
from shared.pictures.errors import PictureError
from shared.pictures.fitting import Pixels
from shared.pictures.jpeg_exif import take_exif
from shared.pictures.limits import TRAINER_LIMITS, PictureLimits
from shared.pictures.samples import as_rgb

if TYPE_CHECKING:
    from PIL import Image

RULES = 4  # another number where the same file gives other pixels than before: caches of pixels are keyed by it
SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # what a file may hold, whatever its name is
SOI = b"\xff\xd8"  # begins every JPEG
STRIP_ROWS = 64  # copied at a time, so that a picture is in memory once and not twice more
SPARE = 2  # a JPEG decoder's own scaling, by 2, 4 or 8, leaves at least this many times the pixels that are needed
FIRST_ON_ITS_SIDE = 5  # orientations from 5 on exchange width and height
TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}  # by the names of Pillow's Transpose

Part: TypeAlias = Callable[[int, int], Box]
"""Which part of an upright picture of this width and height is wanted."""


def load_pixels(path: Path, limits: PictureLimits = TRAINER_LIMITS) -> Pixels:
    """Read a picture file at its own size, upright, as uint8 (height, width, 3) RGB.

    Raises:
        PictureError: it cannot be read, is damaged, larger than `limits`, or has samples that no rule is for.
    """
    with _opened(path, lambda: _content(path, limits), limits) as image:
        return _samples(_upright(image))


def load_jpeg(path: Path, limits: PictureLimits = TRAINER_LIMITS) -> bytes | None:
    """A file's bytes where they begin like a JPEG; None where they do not. Nothing is decoded.

    Raises:
        PictureError: it cannot be read, is empty or is too long.
    """
    try:
        content = _content(path, limits)
    except OSError as error:
        raise PictureError.of(path, error.strerror or error) from error
    return content if content.startswith(SOI) else None


def read_pixels(content: bytes, name: str, limits: PictureLimits = TRAINER_LIMITS) -> Pixels:
    """`load_pixels` of a file's content, which `name` stands for in errors.

    Raises:
        PictureError: as `load_pixels`.
    """
    limits.check_bytes(Path(name), len(content))
    with _opened(Path(name), lambda: content, limits) as image:
        return _samples(_upright(image))


def load_part(path: Path, size: int, part: Part, limits: PictureLimits = TRAINER_LIMITS) -> Pixels:
    """Read a part of a picture file, scaled to uint8 (size, size, 3) RGB; of a large JPEG no more than is needed.

    Raises:
        PictureError: as `load_pixels`.
    """
    from PIL import Image  # noqa: PLC0415 - Pillow comes with the first pixels: a camera that emits JPEG asks for none

    with _opened(path, lambda: _content(path, limits), limits) as image:
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
def _opened(path: Path, read: Callable[[], bytes], limits: PictureLimits) -> "Iterator[Image.Image]":
    """A picture whose size and samples can be asked for; whatever goes wrong meanwhile becomes PictureError."""
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - Pillow comes with the first pixels: a camera that emits JPEG asks for none

    try:
        content, exif = take_exif(read())
        with Image.open(io.BytesIO(_whole_scans(content, limits)), formats=FORMATS) as image:
            limits.check_pixels(image.width, image.height)
            if image.format == "JPEG":
                image.info["exif"] = exif
            yield image
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        raise PictureError.of(path, f"is no {', '.join(FORMATS)} picture") from error
    except Image.DecompressionBombError as error:
        raise PictureError.of(path, f"it has over {limits.pixels} pixels, the most that are read") from error
    except OSError as error:
        raise PictureError.of(path, error.strerror or error) from error
    except Exception as error:
        raise PictureError.of(path, error) from error


def _content(path: Path, limits: PictureLimits) -> bytes:
    """A file's bytes. What is no regular file is not opened: a pipe would keep its reader waiting."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise PictureError.of(path, "is no file but a folder, a pipe, a socket or a device")
    limits.check_bytes(path, status.st_size)
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        content = file.read(status.st_size + 1)  # a file that grows meanwhile is damaged, and shows it
    limits.check_bytes(path, len(content))
    return content


def _whole_scans(content: bytes, limits: PictureLimits) -> bytes:
    """The content; a JPEG is held to its own bits, as a server holds it: Pillow would fill in grey what is missing.

    One that is whole becomes what Pillow takes for one: some cameras leave EOI out or write zeros behind SOI.

    Raises:
        JpegError: a JPEG's blocks do not decode from their own bits, or it has too many scans or pixels.
    """
    if not content.startswith(SOI):
        return content
    try:
        Decoder(limits=limits.of_jpeg).decode(content)
    except UnsupportedJpegError:  # such as CMYK: left to Pillow
        return content
    return SOI + content[len(SOI) :].lstrip(b"\0") + EOI


def _upright(image: "Image.Image") -> "Image.Image":
    from PIL import Image  # noqa: PLC0415 - whoever gives a picture has loaded Pillow

    image.load()
    turn = TURNS.get(_orientation(image))
    rgb = as_rgb(image)
    if rgb is not image:
        image.close()  # it is in memory once more otherwise, while the rest is done
    return rgb if turn is None else rgb.transpose(Image.Transpose[turn])


def _samples(rgb: "Image.Image") -> Pixels:
    """What `numpy.asarray` gives, without the two copies of everything that it makes on the way."""
    samples = np.empty((rgb.height, rgb.width, 3), np.uint8)
    for top in range(0, rgb.height, STRIP_ROWS):
        bottom = min(rgb.height, top + STRIP_ROWS)
        samples[top:bottom] = np.asarray(rgb.crop((0, top, rgb.width, bottom)))
    return samples


def _orientation(image: "Image.Image") -> int:
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
