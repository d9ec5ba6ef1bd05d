"""Memory between two pages that nobody may touch: a byte too far, either way, ends the process.

`python -m tests.shared.jpeg.fences` has the codec read and write only such memory; with `overrun`, it is told of one
byte more than there is.
"""

import ctypes
import mmap
import sys
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.jpeg import Decoder, Encoder, Sampling, Simd, Stream, TableSet, native
from tests.shared.jpeg import exif, pictures

Number = TypeVar("Number", bound=np.generic)

LIMITS = (1 << 20, 1 << 20, 65500, 64, 1000, 1 << 16)
ENCODER = native.NativeEncoder(
    TableSet.standard(90).native_tables, TableSet.standard(90).tables_id, None, Simd.PORTABLE.native_code
)
SIZES = ((1, 1), (8, 8), (16, 16), (17, 33), (31, 5), (32, 48), (40, 65), (64, 64))


def fenced(values: NDArray[Number], *, at_end: bool) -> NDArray[Number]:
    """A copy of the values that ends (or begins) at a page that cannot be accessed."""
    page, size = mmap.PAGESIZE, values.nbytes
    pages = -(-size // page) * page
    memory = mmap.mmap(-1, pages + 2 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for fence in (start, start + page + pages):
        assert ctypes.CDLL(None, use_errno=True).mprotect(ctypes.c_void_p(fence), ctypes.c_size_t(page), 0) == 0
    offset = page + pages - size if at_end else page
    inside = np.frombuffer(memory, np.uint8, size, offset).view(values.dtype).reshape(values.shape)
    inside[...] = values
    return inside


def encode_and_decode(height: int, width: int, sampling: Sampling, *, at_end: bool) -> None:
    """Encode and decode a picture, in streams of every kind, where the picture and the levels stand behind a fence."""
    shape = (height, width) if sampling is Sampling.GREY else (height, width, 3)
    picture = pictures.extremes(height, width, height + width, 1 if len(shape) == 2 else 3).reshape(shape)
    tables = TableSet.standard(90, sampling)
    for stream in (Stream.INTERCHANGE, Stream.ABBREVIATED, Stream.SCAN):
        frame = Encoder(tables, simd=Simd.PORTABLE).encode(picture, stream)
        for simd in Simd.available():
            assert Encoder(tables, simd=simd).encode(fenced(picture, at_end=at_end), stream) == frame
    levels = Decoder().decode(Encoder(tables).encode(picture, Stream.INTERCHANGE))
    again = [fenced(plane, at_end=at_end) for plane in levels.planes]
    coefficients = type(levels)(height, width, sampling, tuple(again), levels.quant)
    assert Encoder(tables).encode_coefficients(coefficients, Stream.SCAN) == frame
    assert -(-Encoder(tables).scan_bits(coefficients) // 8) == len(frame) - frame.count(b"\xff\0")


def decode_into_planes(side: int, *, at_end: bool) -> None:
    """Decode batches into planes that stand behind a fence."""
    tables = TableSet.standard(90)
    picture = pictures.extremes(side, side, side)
    frames = Encoder(tables).encode_batch(np.stack([picture, picture[::-1]]))
    for dtype in (np.int16, np.float32):
        y = fenced(np.ones((2, 64, side // 8, side // 8), dtype), at_end=at_end)
        c = fenced(np.ones((2, 128, side // 16, side // 16), dtype), at_end=at_end)
        for threads in (1, 2):
            errors = Decoder(tables).decode_batch(frames, y, c, dequantise=dtype is np.float32, threads=threads)
            assert errors == [None, None]
    for sampling in Sampling:
        own = Encoder(TableSet.standard(90, sampling)).encode_batch(np.stack([picture, picture]), Stream.INTERCHANGE)
        assert Decoder().decode_batch(own, y, c, dequantise=True) == [None, None]


def read(frame: bytes, *, at_end: bool, more: int = 0) -> None:
    """Read markers and scans of a stream behind a fence, whole and cut at every byte."""
    failure, info = native.ffi.new("Failure *"), native.ffi.new("Info *")
    limits = native.ffi.new("StreamLimits *", LIMITS)
    decoder = native.lib.dctwire_decoder_new(native.ffi.NULL, limits, failure)
    y, c = fenced(np.zeros(64 * 16, np.int16), at_end=at_end), fenced(np.zeros(128 * 4, np.int16), at_end=at_end)
    row = native.ffi.new("Planes *", {"count": 1, "height": 32, "width": 32})
    row.y, row.c = (native.ffi.from_buffer("uint8_t[]", plane) for plane in (y, c))
    bound = native.lib.dctwire_bound_new(decoder, row, failure)
    for length in range(1, len(frame) + 1, 1 if len(frame) < 1000 else 7):
        data = fenced(np.frombuffer(frame[:length], np.uint8), at_end=at_end)
        pointer = native.ffi.from_buffer("uint8_t[]", data)
        native.lib.dctwire_inspect(pointer, length + more, limits, info, failure)
        if native.lib.dctwire_probe(decoder, pointer, length + more, info, failure) == 0:
            areas = [info.block_rows[index] * info.block_columns[index] for index in range(3)]
            levels = fenced(np.zeros(64 * sum(areas), np.int16), at_end=at_end)
            target = native.ffi.from_buffer("int16_t[]", levels)
            native.lib.dctwire_decode(decoder, pointer, length + more, target, info, failure)
        native.lib.dctwire_bound_decode(bound, native.ffi.cast("char *", pointer), length + more, failure)
        resize(decoder, (pointer, length + more), info, at_end=at_end)
    native.lib.dctwire_bound_free(bound)
    native.lib.dctwire_decoder_free(decoder)


def resize(decoder: native.CData, stream: tuple[native.CData, int], info: native.CData, *, at_end: bool) -> None:
    """Bring a stream that was probed to the levels of another size, which stand behind a fence."""
    failure, size = native.ffi.new("Failure *"), native.ffi.new("Resize *", {"height": 32, "width": 16})
    is_lying = info.orientation >= 5
    size.part_height, size.part_width = (info.width, info.height) if is_lying else (info.height, info.width)
    y, c = (fenced(np.zeros(count, np.int16), at_end=at_end) for count in (64 * 8, 128 * 2))
    planes = [(native.ffi.from_buffer("int16_t[]", plane), plane.size) for plane in (y, c)]
    native.lib.dctwire_transcode_levels(decoder, ENCODER.handle, *stream, size, *planes[0], *planes[1], failure)


def main() -> None:
    """Read and write at both fences."""
    picture = pictures.extremes(17, 33, 1)
    frames = [Encoder(TableSet.standard(90, sampling)).encode(picture, Stream.INTERCHANGE) for sampling in Sampling]
    frames.append(pictures.pillow_jpeg(picture, quality=90, subsampling=2, restart_marker_blocks=1))
    frames.append(pictures.pillow_jpeg(picture, quality=90, progressive=True, restart_marker_blocks=2))
    frames.append(Encoder(TableSet.standard(90)).encode(pictures.extremes(32, 32, 2), Stream.INTERCHANGE))
    frames += [
        exif.with_exif(frame, exif.block(orientation)) for frame, orientation in zip(frames, range(2, 9), strict=False)
    ]
    for at_end in (True, False):
        for sampling in Sampling:
            for size in SIZES:
                encode_and_decode(*size, sampling, at_end=at_end)
        for side in (16, 48, 64):
            decode_into_planes(side, at_end=at_end)
        for frame in frames:
            read(frame, at_end=at_end)


if __name__ == "__main__":
    if sys.argv[1:] == ["overrun"]:
        read(pictures.pillow_jpeg(pictures.natural(16, 16, 1))[:-2], at_end=True, more=1)
    else:
        main()
