"""Three decoders behind one signature: ours, the readable one, and libjpeg's through jpeglib."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import jpeglib
import numpy as np
from numpy.typing import NDArray

from shared.jpeg import Decoder
from tests.reference import t81_decoder

Levels = list[NDArray[np.int16]]
Decode = Callable[[bytes], tuple[Levels, list[bytes]]]


def native(jpeg: bytes) -> tuple[Levels, list[bytes]]:
    """Planes (64, rows, columns) and steps of each component in natural order, as our decoder finds them."""
    found = Decoder().decode(jpeg)
    return list(found.planes), list(found.quant)


def reference(jpeg: bytes) -> tuple[Levels, list[bytes]]:
    """Planes and steps as the readable decoder finds them."""
    found = t81_decoder.decode(jpeg)
    return [c.levels for c in found.components], [c.quant for c in found.components]


def libjpeg(jpeg: bytes) -> tuple[Levels, list[bytes]]:
    """Planes and steps as libjpeg finds them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.jpg"
        path.write_bytes(jpeg)
        found = jpeglib.read_dct(str(path))
        planes = [found.Y] if found.Cb is None else [found.Y, found.Cb, found.Cr]
    rows = [plane.transpose(2, 3, 0, 1).reshape(64, *plane.shape[:2]) for plane in planes]
    steps = [bytes(found.get_component_qt(index).flatten().tolist()) for index in range(len(planes))]
    return rows, steps


def recoded_by_libjpeg(jpeg: bytes) -> bytes:
    """The frame as libjpeg writes its coefficients anew."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source.jpg", Path(folder) / "target.jpg"
        source.write_bytes(jpeg)
        jpeglib.read_dct(str(source)).write_dct(str(target))
        return target.read_bytes()


TWINS: dict[str, Decode] = {
    "native": native,
    "reference": reference,
    "libjpeg": libjpeg,
}
