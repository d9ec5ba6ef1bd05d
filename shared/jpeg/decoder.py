"""From streams to quantised DCT coefficients, without IDCT."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import PeerError
from shared.jpeg import native
from shared.jpeg.frames import Coefficients, Limits, sampling_of
from shared.jpeg.tables import TableSet


class Decoder:
    """Decodes interchange frames by their own tables and abbreviated ones by `tables`.

    One decoder may be used by many threads; the interpreter lock is released while it works.

    Args:
        tables: for abbreviated frames; derived once. Without it only interchange frames are read.
        limits: what a stream may cost.
    """

    def __init__(self, tables: TableSet | None = None, limits: Limits = Limits()) -> None:  # noqa: B008 (frozen)
        self.tables = tables
        self.limits = limits
        known = None if tables is None else (tables.native_tables, tables.tables_id)
        self._native = native.NativeDecoder(known, limits.values)

    def decode(self, frame: bytes) -> Coefficients:
        """The levels of one frame (T.81 F.2).

        Raises:
            NotAJpegError, UnsupportedJpegError, CorruptJpegError, CorruptScanError, LimitExceededError:
                what the frame is.
            UnknownTablesError: it is abbreviated and its tables are not this decoder's.
        """
        (height, width, sampling), planes, quant = self._native.decode(frame)
        return Coefficients(height, width, sampling_of(sampling), planes, quant)

    def decode_batch(
        self,
        frames: Sequence[bytes],
        y: NDArray[Any],
        c: NDArray[Any],
        *,
        dequantise: bool = False,
        threads: int = 1,
    ) -> list[PeerError | None]:
        """Decode 4:2:0 frames of one size into the caller's planes, a row each.

        A bad frame leaves zeros in its row and its error in the list; the others do not notice.

        Args:
            y: C-contiguous (n, 64, h/8, w/8), int16 levels, or float32 when `dequantise`.
            c: C-contiguous (n, 128, h/16, w/16) of the same type, Cb before Cr.
            dequantise: multiply each level by its step. Interchange frames with other steps than the tables', in
                any sampling, are read then.
            threads: at most so many share the frames.

        Returns:
            None or an error a frame: those of `decode`; UnsupportedJpegError for another size or sampling;
            UnknownTablesError, without `dequantise`, for steps that are not those of this decoder's tables, if it
            has any.

        Raises:
            ValueError: the planes' types or shapes do not fit together or the number of frames, or they
                overlap.
        """
        return self._bind(len(frames), y, c, dequantise).decode_batch(frames, threads=threads)

    def into(self, y: NDArray[Any], c: NDArray[Any], *, dequantise: bool = False) -> "BoundDecoder":
        """This decoder bound to the planes it is to fill, for callers that fill the same ones again and again.

        Args:
            y, c, dequantise: as in `decode_batch`, of any number of rows.

        Raises:
            ValueError: as `decode_batch`.
        """
        return self._bind(len(y) if y.ndim else 0, y, c, dequantise)

    def _bind(self, count: int, y: NDArray[Any], c: NDArray[Any], dequantise: bool) -> "BoundDecoder":
        size = _batch_size(count, y, c, np.float32 if dequantise else np.int16)
        return BoundDecoder(self._native.bind((count, *size), y, c), count)


class BoundDecoder:
    """A decoder and the planes that it fills; `Decoder.into` makes it.

    It keeps the planes alive. One call at a time: a second thread's is refused with ValueError. Threads that work side
    by side bind planes of their own.

    Attributes:
        decode: `decode(frame)` fills planes of one row from one frame and returns None. It raises ValueError where the
            planes have another number of rows; JpegError where `decode_batch` would put it in its list, and the row is
            zeros then. It is the native call itself, for a method around it would cost a small frame dearly.
    """

    decode: Callable[[bytes], None]

    def __init__(self, bound: native.NativeBoundDecoder, count: int) -> None:
        self._native = bound
        self._count = count
        self.decode = bound.decode

    def decode_batch(self, frames: Sequence[bytes], *, threads: int = 1) -> list[PeerError | None]:
        """Decode a frame into each row, as `Decoder.decode_batch`.

        Returns:
            None or an error a frame; the row of a bad one is zeros.

        Raises:
            ValueError: the number of frames is not that of the rows, or another thread's call is under way.
        """
        held = tuple(frames)
        if len(held) != self._count:
            raise ValueError(f"{len(held)} frames for {self._count} rows")
        return list(self._native.decode_batch(held, min(max(threads, 1), self._count)))


def _batch_size(count: int, y: NDArray[Any], c: NDArray[Any], dtype: type) -> tuple[int, int]:
    """(height, width) of the frames the planes are for."""
    if y.dtype != dtype or c.dtype != dtype:
        raise ValueError(f"planes of {y.dtype} and {c.dtype}: levels are int16, with dequantise=True float32")
    if not all(plane.flags.c_contiguous and plane.flags.aligned for plane in (y, c)):
        raise ValueError("the planes must be C-contiguous and aligned")
    if np.may_share_memory(y, c):
        raise ValueError("the planes overlap")
    rows, columns = c.shape[2:] if c.ndim == 4 else (0, 0)
    if y.shape != (count, 64, 2 * rows, 2 * columns) or c.shape != (count, 128, rows, columns):
        needed = f"({count}, 64, h/8, w/8) and ({count}, 128, h/16, w/16)"
        raise ValueError(f"planes of {y.shape} and {c.shape}: {count} frames need {needed}")
    return 16 * rows, 16 * columns
