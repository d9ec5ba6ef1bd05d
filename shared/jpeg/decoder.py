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
        tables: those of the abbreviated frames. Without them only interchange frames are read.
        limits: the most that a stream may cost.
    """

    def __init__(self, tables: TableSet | None = None, limits: Limits = Limits()) -> None:  # noqa: B008 (frozen)
        self.tables = tables
        self.limits = limits
        known = None if tables is None else (tables.native_tables, tables.tables_id)
        self._native = native.NativeDecoder(known, limits.values)

    def decode(self, frame: bytes) -> Coefficients:
        """Decode the levels of one frame (T.81 F.2, G.2).

        Raises:
            NotAJpegError, UnsupportedJpegError, CorruptJpegError, CorruptScanError, LimitExceededError:
                the frame is no JPEG, of a kind that is not read, damaged, or beyond the limits.
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
        """Decode 4:2:0 frames of one size, each into its row of the caller's planes.

        A bad frame leaves zeros in its row and its error in the list; the other frames are decoded as usual.

        Args:
            y: C-contiguous (n, 64, h/8, w/8), int16 levels, or float32 when `dequantise`.
            c: C-contiguous (n, 128, h/16, w/16) of the same type, Cb before Cr.
            dequantise: multiply each level by its step. Interchange frames with other steps than the tables', in
                any sampling, are read then.
            threads: the most threads that share the frames.

        Returns:
            For each frame None or its error: one of `decode`; UnsupportedJpegError for another size or sampling;
            UnknownTablesError, without `dequantise`, for other steps than those of this decoder's tables.

        Raises:
            ValueError: the types or shapes of the planes do not fit each other or the number of frames, or the
                planes overlap.
        """
        return self._bind(len(frames), y, c, dequantise).decode_batch(frames, threads=threads)

    def into(self, y: NDArray[Any], c: NDArray[Any], *, dequantise: bool = False) -> "BoundDecoder":
        """Bind this decoder to planes, for callers that fill the same planes again and again.

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

    It keeps the planes alive. It serves one call at a time and refuses a second thread's with ValueError: each thread
    binds planes of its own.

    Attributes:
        decode: `decode(frame)` decodes one frame into planes of one row and returns None. It raises ValueError where
            the planes have more rows, and JpegError, which leaves zeros in the row, where `decode_batch` would list it.
            It is the native call itself: a method around it would slow small frames down.
    """

    decode: Callable[[bytes], None]

    def __init__(self, bound: native.NativeBoundDecoder, count: int) -> None:
        self._native = bound
        self._count = count
        self.decode = bound.decode

    def decode_batch(self, frames: Sequence[bytes], *, threads: int = 1) -> list[PeerError | None]:
        """Decode one frame into each row, as `Decoder.decode_batch` does.

        Returns:
            For each frame None or its error; the row of a bad frame is zeros.

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
