"""The one door to the native codec: C structures in and out, failures become errors of ours."""

import weakref
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.jpeg import _codec
from shared.jpeg.arguments import Info, Levels, Quantisation, Resize, Tables
from shared.jpeg.errors import (
    ContainedFaultError,
    CorruptJpegError,
    CorruptScanError,
    InvalidTablesError,
    JpegError,
    LimitExceededError,
    NotAJpegError,
    UnknownTablesError,
    UnsupportedJpegError,
)

_SIMPLE_ERRORS: dict[int, type[JpegError]] = {
    1: NotAJpegError,
    2: UnsupportedJpegError,
    3: CorruptJpegError,
    4: CorruptScanError,
    7: InvalidTablesError,
    9: ContainedFaultError,
}
# `from ... import ffi` would make type checkers look into the generated ffi.py.
ffi, lib = _codec.ffi, _codec.lib

# cffi structures and pointers have no static types.
CData = Any

_OVER_LIMIT, _UNKNOWN_TABLES = 5, 6
_BYTES = ffi.typeof("uint8_t[]")
# For structures of which only the parts that were written are read.
_uncleared = ffi.new_allocator(should_clear_after_alloc=False)


def check_tables(tables: Tables) -> None:
    """Raise InvalidTablesError where the set cannot be used."""
    failure = ffi.new("Failure *")
    _require(lib.dctwire_tables_check(_c_tables(tables), failure), failure)


def write_tables(tables: Tables, *, with_huffman: bool) -> bytes:
    """The canonical tables-only stream."""
    failure, output = ffi.new("Failure *"), ffi.new("Output *")
    _require(lib.dctwire_tables_write(_c_tables(tables), with_huffman, output, failure), failure)
    return _take(output)[0]


def read_tables(data: bytes) -> Tables:
    """The tables of a canonical tables-only stream; raises InvalidTablesError for any other data."""
    failure, tables, stream = ffi.new("Failure *"), ffi.new("Tables *"), _unchanging(data)
    _require(lib.dctwire_tables_read(stream, len(stream), tables, failure), failure)
    components, huffman = (1, 2) if tables.sampling == 0 else (3, 4)
    quant = tuple(_copy(tables.quant[index]) for index in range(components))
    return Tables(tables.sampling, quant, tuple(_pair(tables.huffman[index]) for index in range(huffman)))


def annex_k_huffman() -> list[tuple[bytes, bytes]]:
    """(BITS, HUFFVAL) of the Huffman tables of T.81 annex K: DC and AC of luminance, DC and AC of chrominance."""
    failure, tables = ffi.new("Failure *"), ffi.new("HuffmanTable[4]")
    _require(lib.dctwire_annex_k(tables, failure), failure)
    return [_pair(table) for table in tables]


def inspect(data: bytes, limits: Sequence[int]) -> Info:
    """Read the markers of a frame; raises JpegError."""
    failure, info, frame = ffi.new("Failure *"), ffi.new("Info *"), _unchanging(data)
    _require(lib.dctwire_inspect(frame, len(frame), ffi.new("StreamLimits *", limits), info, failure), failure)
    return Info(
        height=info.height,
        width=info.width,
        sampling=info.sampling,
        is_abbreviated=bool(info.is_abbreviated),
        tables_id=_copy(info.tables_id).hex() if info.has_tables_id else None,
        quant=_quant(info) if info.has_quant else None,
        scan_bytes=info.scan_bytes,
        orientation=info.orientation,
    )


def exif_orientation(block: bytes) -> int:
    """The orientation, 1 to 8, that an Exif block tells."""
    failure, orientation, data = ffi.new("Failure *"), ffi.new("uint8_t *"), _unchanging(block)
    _require(lib.dctwire_exif_orientation(data, len(data), orientation, failure), failure)
    return int(orientation[0])


def instruction_sets() -> int:
    """The instruction sets of `Simd` that this processor has: bit n for the n-th."""
    return int(lib.dctwire_instruction_sets())


class NativeEncoder:
    """A handle on derived encoding tables. It is thread-safe, and every call releases the interpreter lock."""

    def __init__(
        self, tables: Tables, tables_id: str, quantisation: Quantisation | None, simd: int, *, is_ycbcr: bool = False
    ) -> None:
        failure = ffi.new("Failure *")
        c_quantisation = ffi.NULL if quantisation is None else _c_quantisation(quantisation)
        handle = lib.dctwire_encoder_new(_c_tables(tables, tables_id), c_quantisation, simd, is_ycbcr, failure)
        _require(failure.kind, failure)
        self.handle = _owned(self, handle, lib.dctwire_encoder_free)
        # Memory for streams, lent to one call at a time.
        self._idle: list[tuple[CData, CData]] = []

    def encode_one(self, pixels: NDArray[np.uint8], shape: tuple[int, int, int], stream: int) -> bytes:
        """Encode one C-contiguous image of shape (h, w, channels)."""
        try:
            lent = self._idle.pop()
        except IndexError:
            lent = _owned(self, ffi.new("Output *"), lib.dctwire_release), ffi.new("Failure *")
        try:
            output, failure = lent
            pointer = ffi.from_buffer(_BYTES, pixels)
            _require(lib.dctwire_encode_one(self.handle, pointer, *shape, stream, output, failure), failure)
            encoded: bytes = ffi.buffer(output.data, output.length)[:]
        finally:
            self._idle.append(lent)
        return encoded

    def encode(self, pixels: NDArray[np.uint8], stream: int, threads: int) -> list[bytes]:
        """Encode n C-contiguous images (n, h, w, channels) into n streams."""
        failure, output = ffi.new("Failure *"), ffi.new("Output *")
        images, _keep = _c_images(pixels, threads)
        _require(lib.dctwire_encode(self.handle, images, stream, output, failure), failure)
        return _take(output)

    def quantise(
        self, pixels: NDArray[np.uint8], y: NDArray[np.int16], c: NDArray[np.int16] | None, threads: int
    ) -> None:
        """Quantise n images (n, h, w, channels) into planes of levels."""
        failure = ffi.new("Failure *")
        images, _keep = _c_images(pixels, threads)
        _require(lib.dctwire_quantise(self.handle, images, *_levels(y), *_levels(c), failure), failure)

    def encode_levels(self, size: tuple[int, int], planes: Sequence[NDArray[np.int16]], stream: int) -> bytes:
        """Entropy-code C-contiguous planes (64, rows, columns)."""
        failure, output = ffi.new("Failure *"), ffi.new("Output *")
        pointers = [ffi.from_buffer("int16_t[]", plane) for plane in planes]
        source = *size, ffi.new("int16_t *[]", pointers), ffi.new("uintptr_t[]", [plane.size for plane in planes])
        _require(lib.dctwire_encode_levels(self.handle, *source, stream, output, failure), failure)
        return _take(output)[0]

    def scan_bits(self, levels: Levels) -> NDArray[np.uint64]:
        """The entropy-coded bits of each frame, (n,)."""
        failure, bits = ffi.new("Failure *"), np.empty(len(levels.planes[0]), np.uint64)
        _require(lib.dctwire_scan_bits(self.handle, _c_levels(levels), _pointer("uint64_t[]", bits), failure), failure)
        return bits


class NativeDecoder:
    """A handle on derived decoding tables and limits. It is thread-safe; every call releases the interpreter lock."""

    def __init__(self, tables: tuple[Tables, str] | None, limits: Sequence[int]) -> None:
        failure = ffi.new("Failure *")
        c_tables = ffi.NULL if tables is None else _c_tables(*tables)
        handle = lib.dctwire_decoder_new(c_tables, ffi.new("StreamLimits *", limits), failure)
        _require(failure.kind, failure)
        self.handle = _owned(self, handle, lib.dctwire_decoder_free)

    def upright_size(self, data: bytes) -> tuple[int, int]:
        """(height, width) of a frame's picture when it stands upright; raises JpegError."""
        info = self._probe(_unchanging(data))
        is_lying = info.orientation >= 5  # rows and columns change places
        return (info.width, info.height) if is_lying else (info.height, info.width)

    def decode(self, data: bytes) -> tuple[tuple[int, int, int], tuple[NDArray[np.int16], ...], tuple[bytes, ...]]:
        """(height, width, sampling's number) of a frame; of each component levels (64, rows, columns) and steps."""
        failure, frame = ffi.new("Failure *"), _unchanging(data)
        info = self._probe(frame)
        rows, columns = info.block_rows, info.block_columns
        shapes = [(64, rows[index], columns[index]) for index in range(_components(info))]
        ends = list(accumulate(64 * rows * columns for _, rows, columns in shapes))
        levels = np.zeros(ends[-1], np.int16)
        target = _pointer("int16_t[]", levels), info, failure
        _require(lib.dctwire_decode(self.handle, frame, len(frame), *target), failure)
        planes = (plane.reshape(shape) for plane, shape in zip(np.split(levels, ends[:-1]), shapes, strict=True))
        return (info.height, info.width, info.sampling), tuple(planes), _quant(info)

    def _probe(self, frame: bytes) -> CData:
        failure, info = ffi.new("Failure *"), ffi.new("Info *")
        _require(lib.dctwire_probe(self.handle, frame, len(frame), info, failure), failure)
        return info

    def bind(self, size: tuple[int, int, int], y: NDArray[Any], c: NDArray[Any]) -> "NativeBoundDecoder":
        """Bind planes for `size` (count, height, width): int16 for levels, or float32 for dequantised coefficients."""
        return NativeBoundDecoder(self, self.handle, size, y, c)


class NativeBoundDecoder:
    """A handle on a decoder and the planes it fills, one call at a time; calls release the interpreter lock."""

    def __init__(
        self, owner: NativeDecoder, decoder: CData, size: tuple[int, int, int], y: NDArray[Any], c: NDArray[Any]
    ) -> None:
        failure, planes = ffi.new("Failure *"), ffi.new("Planes *")
        buffers = _pointer("uint8_t[]", y), _pointer("uint8_t[]", c)
        planes.y, planes.c = buffers
        planes.count, planes.height, planes.width = size
        planes.dequantise = y.dtype == np.float32
        y_bytes = size[0] * size[1] * size[2] * (4 if planes.dequantise else 2)
        if [len(buffer) for buffer in buffers] != [y_bytes, y_bytes // 2]:
            raise ValueError("the planes' memory is not what their shapes say")
        handle = lib.dctwire_bound_new(decoder, planes, failure)
        _require(failure.kind, failure)
        # NumPy refuses to resize an array that has weak references, even with `refcheck=False`.
        self._alive = (owner, buffers, weakref.ref(y), weakref.ref(c))
        self._count = size[0]
        self._handle = _owned(self, handle, lib.dctwire_bound_free)
        # Looked up once: for a frame of 32 x 32 every attribute lookup counts.
        self._decode = lib.dctwire_bound_decode
        # Lent to one call at a time.
        self._idle = [failure]

    def decode(self, frame: bytes) -> None:
        """Decode one frame into planes of one row.

        It raises JpegError, and leaves zeros in the row, or ValueError where the planes have more rows.
        """
        data = _unchanging(frame)
        try:
            failure = self._idle.pop()
        except IndexError:
            failure = ffi.new("Failure *")
        try:
            if self._decode(self._handle, data, len(data), failure):
                raise _error(failure)
        finally:
            self._idle.append(failure)

    def decode_batch(self, frames: Sequence[bytes], threads: int) -> list[JpegError | None]:
        """Decode as many frames as the planes have rows."""
        joined, lengths = b"".join(frames), list(map(len, frames))
        if sum(lengths) != len(joined):  # buffers whose items are not bytes
            frames = [bytes(memoryview(frame)) for frame in frames]
            joined, lengths = b"".join(frames), list(map(len, frames))
        failure, failed = ffi.new("Failure *"), ffi.new("uintptr_t *")
        failures = _uncleared("FrameFailure[]", self._count)
        c_lengths = ffi.new("uintptr_t[]", lengths)
        outcome = failures, failed, failure
        _require(lib.dctwire_bound_decode_batch(self._handle, joined, c_lengths, threads, *outcome), failure)
        errors: list[JpegError | None] = [None] * self._count
        for one in failures[0 : failed[0]]:
            errors[one.index] = _error(one.failure)
        return errors


def transcode(coders: tuple[NativeDecoder, NativeEncoder], data: bytes, resize: Resize | None, stream: int) -> bytes:
    """Decode a frame and code it with the encoder's tables, upright and resized if asked; raises JpegError."""
    failure, output, frame = ffi.new("Failure *"), ffi.new("Output *"), _unchanging(data)
    source = coders[0].handle, coders[1].handle, frame, len(frame), _c_resize(resize)
    _require(lib.dctwire_transcode(*source, stream, output, failure), failure)
    return _take(output)[0]


def transcode_levels(
    coders: tuple[NativeDecoder, NativeEncoder],
    data: bytes,
    resize: Resize,
    y: NDArray[np.int16],
    c: NDArray[np.int16] | None,
) -> None:
    """Decode a frame into planes of the levels that `transcode` would code; raises JpegError."""
    failure, frame = ffi.new("Failure *"), _unchanging(data)
    source = coders[0].handle, coders[1].handle, frame, len(frame), _c_resize(resize)
    _require(lib.dctwire_transcode_levels(*source, *_levels(y), *_levels(c), failure), failure)


def count_symbols(levels: Levels, counts: NDArray[np.uint64]) -> None:
    """Add the symbols to (4, 256) counts."""
    failure, total = ffi.new("Failure *"), _pointer("uint64_t[1024]", counts)
    _require(lib.dctwire_count_symbols(_c_levels(levels), total, failure), failure)


def fit(counts: NDArray[np.uint64], *, is_ac: bool) -> tuple[bytes, bytes]:
    """(BITS, HUFFVAL) of the optimal table for 256 symbol counts."""
    failure, table = ffi.new("Failure *"), ffi.new("HuffmanTable *")
    _require(lib.dctwire_fit(ffi.from_buffer("uint64_t[256]", counts), is_ac, table, failure), failure)
    return _pair(table)


def _owned(owner: object, handle: CData, free: Callable[[CData], None]) -> CData:
    """A handle that is freed with its owner, but not at the end of the interpreter.

    `ffi.gc` would not do: cffi unloads the library at exit before the last collection frees what a cycle still holds.
    """
    weakref.finalize(owner, free, handle).atexit = False
    return handle


def _require(status: int, failure: CData) -> None:
    if status:
        raise _error(failure)


def _error(failure: CData) -> Any:
    """The error that a failure stands for: ValueError where the caller is wrong, otherwise a JpegError."""
    message = _copy(failure.message)[: failure.message_length].decode("ascii", "replace")
    if failure.kind == _OVER_LIMIT:
        return LimitExceededError(failure.limit, failure.actual, message)
    if failure.kind == _UNKNOWN_TABLES:
        tables_id = _copy(failure.tables_id).hex() if failure.has_tables_id else None
        return UnknownTablesError(tables_id, message)
    if failure.kind in _SIMPLE_ERRORS:
        return _SIMPLE_ERRORS[failure.kind](message)
    return ValueError(message)


def _c_tables(tables: Tables, tables_id: str = "") -> CData:
    for index, (counts, symbols) in enumerate(tables.huffman):
        if len(counts) != 16 or len(symbols) > 256 or sum(counts) != len(symbols):
            raise InvalidTablesError(f"Huffman table {index}: {sum(counts)} codes for {len(symbols)} symbols")
    return ffi.new("Tables *", (tables.sampling, bytes.fromhex(tables_id), tables.quant, tables.huffman))


def _c_quantisation(quantisation: Quantisation) -> CData:
    fields: dict[str, object] = {
        "rounding": quantisation.rounding.tolist(),
        "mask": quantisation.mask.astype(int).tolist(),
    }
    if quantisation.tradeoff is not None:
        multiplier, weights = quantisation.tradeoff
        fields |= {"has_tradeoff": True, "multiplier": multiplier, "weights": weights.tolist()}
    return ffi.new("Quantisation *", fields)


def _c_resize(resize: Resize | None) -> CData:
    return ffi.NULL if resize is None else ffi.new("Resize *", (*resize.size, *resize.part))


def _c_images(pixels: NDArray[np.uint8], threads: int) -> tuple[CData, CData]:
    """The structure, and the buffer that must live as long as it."""
    buffer = ffi.from_buffer("uint8_t[]", pixels)
    return ffi.new("Images *", (buffer, *pixels.shape, min(max(threads, 1), max(len(pixels), 1)))), buffer


def _c_levels(levels: Levels) -> CData:
    """Points into the planes, which must stay alive as long."""
    out = ffi.new("Levels *")
    out.height, out.width = levels.size
    out.sampling, out.count = levels.sampling, len(levels.planes[0])
    for index, plane in enumerate(levels.planes):
        assert all(frame.flags.c_contiguous and frame.flags.aligned for frame in plane[:1])
        out.planes[index] = ffi.cast("int16_t *", plane.ctypes.data)
        out.lengths[index] = plane[:1].size
        out.strides[index] = plane.strides[0] // plane.itemsize
    return out


def _unchanging(data: bytes | bytearray | memoryview) -> bytes:
    """Bytes that no thread can change while the interpreter lock is released; their `len` is that of their memory."""
    return data if type(data) is bytes else bytes(memoryview(data))


def _pointer(kind: str, array: NDArray[Any]) -> CData:
    return ffi.from_buffer(kind, array, require_writable=True)


def _levels(planes: NDArray[np.int16] | None) -> tuple[CData, int]:
    return (ffi.NULL, 0) if planes is None else (_pointer("int16_t[]", planes), planes.size)


def _components(info: CData) -> int:
    return 1 if info.sampling == 0 else 3


def _quant(info: CData) -> tuple[bytes, ...]:
    steps = _copy(info.quant)
    return tuple(steps[start : start + 64] for start in range(0, 64 * _components(info), 64))


def _copy(array: CData) -> bytes:
    """The bytes of an array, copied at once; `bytes(array)` would fetch them one by one."""
    copied: bytes = ffi.buffer(array)[:]
    return copied


def _pair(table: CData) -> tuple[bytes, bytes]:
    counts = _copy(table.counts)
    return counts, _copy(table.symbols)[: sum(counts)]


def _take(output: CData) -> list[bytes]:
    """Copy the streams out and give the native memory back."""
    try:
        data = ffi.buffer(output.data, output.length)
        offsets = [0, *ffi.unpack(output.ends, output.count)]
        return [data[start:end] for start, end in pairwise(offsets)]
    finally:
        lib.dctwire_release(output)
