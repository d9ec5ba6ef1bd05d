"""Everything that the codec says of a frame, on each of its ways: two frames are twins where all of it is equal."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from shared.jpeg import Coefficients, Decoder, FrameInfo, JpegError, Resize, Stream, TableSet, Transcoder, inspect

COARSE = TableSet.standard(20)
RESIZER = Transcoder(COARSE, resize=Resize(16, 48))


@dataclass(frozen=True)
class Readings:
    """What `inspect` says but for the bytes of scans, levels, the frame transcoded and resized, rows of batches."""

    info: FrameInfo
    levels: Coefficients
    transcoded: bytes
    resized: bytes
    rows: tuple[bytes, ...]


def readings(frame: bytes) -> Readings:
    """Read a frame on every way; the batches are of its own size, where that is a multiple of 16.

    Raises:
        JpegError: any of them refuses it.
    """
    info = inspect(frame)
    levels = Decoder().decode(frame)
    transcoded = Transcoder(COARSE).transcode(frame, Stream.INTERCHANGE)
    has_batches = info.height % 16 == 0 and info.width % 16 == 0
    batches = rows(frame, info) if has_batches else ()
    return Readings(replace(info, scan_bytes=0), levels, transcoded, RESIZER.transcode(frame), batches)


def rows(frame: bytes, info: FrameInfo) -> tuple[bytes, ...]:
    """The frame in dequantised batches: alone, beside others of its prefix, and bound, where the prefix is known."""
    y = np.full((5, 64, info.height // 8, info.width // 8), 77, np.float32)
    c = np.full((5, 128, info.height // 16, info.width // 16), 77, np.float32)
    for error in Decoder().decode_batch([frame] * 4, y[:4], c[:4], dequantise=True):
        if error is not None:
            raise error
    bound = Decoder().into(y[4:], c[4:], dequantise=True)
    for _ in range(3):
        bound.decode(frame)
    assert all((plane == plane[0]).all() for plane in (y, c))
    return y[0].tobytes(), c[0].tobytes()


def is_refused(frame: bytes, size: tuple[int, int] = (32, 32)) -> bool:
    """Whether every way that decodes the scans refuses the frame, each with a documented error and rows of zeros.

    The batches are for frames of `size` only.
    """
    height, width = size
    y = np.ones((3, 64, height // 8, width // 8), np.float32)
    c = np.ones((3, 128, height // 16, width // 16), np.float32)
    bound = Decoder().into(y[2:], c[2:], dequantise=True)
    batched = [error is not None for error in Decoder().decode_batch([frame] * 2, y[:2], c[:2], dequantise=True)]
    batched += [refuses(bound.decode, frame) for _ in range(2)]
    is_so = refuses(Decoder().decode, frame)
    assert refuses(Transcoder(COARSE).transcode, frame) == is_so
    assert refuses(RESIZER.levels, frame) == is_so
    assert len(set(batched)) == 1
    assert batched[0] or not is_so
    assert not batched[0] or not (y.any() or c.any())
    return is_so


def refuses(read: Callable[[bytes], object], frame: bytes) -> bool:
    """Whether this way refuses the frame."""
    try:
        read(frame)
    except JpegError:
        return True
    return False
