"""Who does what in the codec's benchmarks: ours and the peers, each with its own natural kind of stream.

Ours decodes abbreviated frames into planes of the caller's. The peers get the same coefficients: jpeg2dct-numpy,
jpeglib and simplejpeg as interchange streams, since they know no others; libjpeg-turbo as the very same frames.
"""

import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jpeglib
import numpy as np
import simplejpeg
from jpeg2dct.numpy import loads as jpeg2dct_loads
from numpy.typing import NDArray
from PIL import Image

from benchmarks.codec_pictures import Pixels, pictures
from benchmarks.libjpeg_shim import LibjpegReader
from benchmarks.rounds import Side, for_each
from shared.jpeg import Decoder, Encoder, Quantisation, RateDistortion, Stream, SymbolCounts, TableSet

QUALITY = 50
TABLES = TableSet.standard(QUALITY)
# A bit is worth 0.12 squared steps, whatever the frequency.
OPTIMISED = Quantisation(
    rdo=RateDistortion(0.12, weights=[1 / np.square(list(table), dtype=np.float64) for table in TABLES.quant])
)


@dataclass(frozen=True)
class Sides:
    """The sides for pictures of one size.

    Args:
        side: 32, 224 or 720.
    """

    side: int

    @cached_property
    def pixels(self) -> Pixels:
        """uint8 (n, height, width, 3)."""
        return np.ascontiguousarray(pictures(self.side))

    @cached_property
    def frames(self) -> list[bytes]:
        """The pictures as abbreviated frames."""
        return Encoder(TABLES).encode_batch(self.pixels)

    @cached_property
    def files(self) -> list[bytes]:
        """The same coefficients as interchange streams."""
        return Encoder(TABLES).encode_batch(self.pixels, Stream.INTERCHANGE)

    @cached_property
    def decoder(self) -> Decoder:
        """Ours, which knows the frames' tables."""
        return Decoder(TABLES)

    @cached_property
    def libjpeg(self) -> LibjpegReader:
        """libjpeg-turbo, which knows the same."""
        return LibjpegReader(TABLES.to_stream())

    def planes(self, count: int, dtype: type) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
        """Planes for that many frames."""
        rows, columns = self.pixels.shape[1] // 16, self.pixels.shape[2] // 16
        return np.zeros((count, 64, 2 * rows, 2 * columns), dtype), np.zeros((count, 128, rows, columns), dtype)

    def decode_one_by_one(self) -> dict[str, Side]:
        """From Python, a call a frame."""
        ours = self.decoder.into(*self.planes(1, np.int16)).decode
        return {
            "ours": for_each(ours, self.frames),
            "jpeg2dct": for_each(lambda file: jpeg2dct_loads(file, normalized=False), self.files),
            "libjpeg": self.libjpeg_in_c(),
            "libjpeg_ctypes": for_each(self.libjpeg.decode, self.frames),
            "simplejpeg_rgb": for_each(simplejpeg.decode_jpeg, self.files),
        }

    def decode_by_jpeglib(self) -> dict[str, Side]:
        """jpeglib reads files only: here from a directory in memory where there is one."""
        memory = Path("/dev/shm")
        folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
        paths = [folder / f"{index}.jpg" for index in range(len(self.files))]
        for path, file in zip(paths, self.files, strict=True):
            path.write_bytes(file)
        return {"jpeglib": for_each(lambda path: jpeglib.read_dct(path).Y, list(map(str, paths)))}

    def libjpeg_in_c(self) -> Side:
        """All frames in a loop in C."""
        return lambda repeats: self.libjpeg.seconds(self.frames, repeats)

    def decode_batch(self, dtype: type = np.int16, threads: int = 1) -> Callable[[], object]:
        """All frames in one call of ours."""
        bound = self.decoder.into(*self.planes(len(self.frames), dtype), dequantise=dtype is np.float32)
        return lambda: bound.decode_batch(self.frames, threads=threads)

    def encode(self) -> dict[str, Side]:
        """From Python, a call a picture; Pillow's pictures are made beforehand."""
        steps = [list(table) for table in TABLES.quant]
        images = [Image.fromarray(picture) for picture in self.pixels]
        encoder = Encoder(TABLES)
        return {
            "ours": for_each(encoder.encode, list(self.pixels)),
            "simplejpeg": for_each(by_simplejpeg, list(self.pixels)),
            "pillow": for_each(lambda image: by_pillow(image, steps), images),
        }

    def encode_plain_and_optimised(self) -> dict[str, Side]:
        """From Python, a call a picture, both ours."""
        encoders = {"plain": Encoder(TABLES), "rdo": Encoder(TABLES, quantisation=OPTIMISED)}
        return {name: for_each(encoder.encode, list(self.pixels)) for name, encoder in encoders.items()}

    def bytes_a_picture(self) -> dict[str, float]:
        """Mean size of the streams of all pictures, tables included where the stream carries them."""
        steps = [list(table) for table in TABLES.quant]
        images = [Image.fromarray(picture) for picture in self.pixels]
        streams = {
            "ours_abbreviated": self.frames,
            "ours_rdo": Encoder(TABLES, quantisation=OPTIMISED).encode_batch(self.pixels),
            "ours_fitted": Encoder(self.fitted_tables()).encode_batch(self.pixels),
            "ours_interchange": self.files,
            "simplejpeg": [by_simplejpeg(picture) for picture in self.pixels],
            "pillow": [by_pillow(image, steps) for image in images],
            "pillow_optimised": [by_pillow(image, steps, optimize=True) for image in images],
        }
        return {name: float(np.mean([len(stream) for stream in made])) for name, made in streams.items()}

    def fitted_tables(self) -> TableSet:
        """The same steps with Huffman tables for these pictures."""
        counts = SymbolCounts()
        counts.add(*Encoder(TABLES).quantise_batch(self.pixels))
        return TABLES.with_huffman(counts.tables())


def by_simplejpeg(picture: Pixels) -> bytes:
    """4:2:0 at the quality that has our steps."""
    stream: bytes = simplejpeg.encode_jpeg(picture, quality=QUALITY, colorsubsampling="420")
    return stream


def by_pillow(image: Image.Image, steps: list[list[int]], *, optimize: bool = False) -> bytes:
    """4:2:0 with our three tables."""
    out = io.BytesIO()
    image.save(out, "jpeg", qtables=steps, subsampling=2, optimize=optimize)
    return out.getvalue()
