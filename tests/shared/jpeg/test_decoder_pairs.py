"""Frames that begin alike are decoded two at a time: each row and each error are what they would be alone."""

from random import Random
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import PeerError
from shared.jpeg import EOI, Decoder, Encoder, JpegError, Sampling, Stream, SymbolCounts, TableSet
from tests.fuzz.jpeg_mutations import Corpus
from tests.shared.jpeg import pictures, streams

Rows = tuple[list[str], bytes, bytes]


def long_codes() -> TableSet:
    """Tables with codes of up to 16 bits, as counts that double from symbol to symbol need."""
    counts = SymbolCounts()
    for row in counts.counts:
        row[:] = np.uint64(1) << (np.arange(256, dtype=np.uint64) % np.uint64(60))
    return TableSet.standard(100).with_huffman(counts.tables())


TABLE_SETS = {"fine": TableSet.standard(100), "usual": TableSet.standard(50), "long codes": long_codes()}
PICTURES = [
    *(pictures.natural(32, 48, seed) for seed in range(5)),
    pictures.extremes(32, 48, 1),
    pictures.noise(32, 48, 2),
    np.zeros((32, 48, 3), np.uint8),
    pictures.extremes(32, 48, 3),
]


def frames_of(tables: TableSet, stream: Stream = Stream.ABBREVIATED) -> list[bytes]:
    return Encoder(tables).encode_batch(np.stack(PICTURES), stream)


def decoded(
    decoder: Decoder, frames: list[bytes], dtype: type = np.int16, threads: int = 1
) -> tuple[list[PeerError | None], bytes, bytes]:
    """The errors, y and c of a batch."""
    y: NDArray[Any] = np.full((len(frames), 64, 4, 6), 77, dtype)
    c: NDArray[Any] = np.full((len(frames), 128, 2, 3), 77, dtype)
    errors = decoder.decode_batch(frames, y, c, dequantise=dtype is np.float32, threads=threads)
    return errors, y.tobytes(), c.tobytes()


def assert_rows_are_as_alone(decoder: Decoder, frames: list[bytes], dtype: type = np.int16, threads: int = 1) -> int:
    """Assert that all rows and errors are those of each frame alone; return how many frames were whole."""
    errors, y, c = decoded(decoder, frames, dtype, threads)
    alone = [decoded(decoder, [frame], dtype) for frame in frames]
    assert [repr(error) for error in errors] == [repr(error) for ((error,), _, _) in alone]
    assert y == b"".join(y for _, y, _ in alone)
    assert c == b"".join(c for _, _, c in alone)
    return errors.count(None)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize("stream", [Stream.ABBREVIATED, Stream.INTERCHANGE])
@pytest.mark.parametrize("tables", TABLE_SETS.values(), ids=TABLE_SETS.keys())
def test_rows_hold_what_each_frame_holds_alone(tables: TableSet, stream: Stream, dtype: type) -> None:
    frames = frames_of(tables, stream)
    for threads in (1, 2, 3):
        for count in range(1, len(frames) + 1):
            assert assert_rows_are_as_alone(Decoder(tables), frames[:count], dtype, threads) == count


@pytest.mark.parametrize("tables", TABLE_SETS.values(), ids=TABLE_SETS.keys())
def test_a_frame_cut_anywhere_harms_neither_its_neighbour_nor_its_error(tables: TableSet) -> None:
    decoder, frames = Decoder(tables), frames_of(tables)
    cuts = [frames[0][:length] for length in range(0, len(frames[0]) - 2, 3)]
    for end in (b"", b"\xff\xd9"):
        mixed = [frame for cut, whole in zip(cuts, frames * len(cuts), strict=False) for frame in (cut + end, whole)]
        assert assert_rows_are_as_alone(decoder, mixed) == len(cuts)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_damaged_frames_among_whole_ones_end_as_alone(dtype: type) -> None:
    rng = Random(3)
    for tables in TABLE_SETS.values():
        frames = frames_of(tables)
        corpus = Corpus([*frames, *frames_of(tables, Stream.INTERCHANGE)])
        for _ in range(60):
            mixed = [corpus.mutated(rng) if rng.random() < 0.4 else rng.choice(frames) for _ in range(9)]
            assert_rows_are_as_alone(Decoder(tables), mixed, dtype, threads=rng.choice((1, 1, 2)))


def test_one_changed_byte_anywhere_in_a_scan_ends_as_alone() -> None:
    tables = TABLE_SETS["usual"]
    frames = frames_of(tables)
    start = streams.segments(frames[1])[-1][2]
    changed = [
        frames[1][:at] + bytes([value]) + frames[1][at + 1 :]
        for at in range(start, len(frames[1]), 2)
        for value in (0x00, 0xFF, frames[1][at] ^ 0x10)
    ]
    assert 0 < assert_rows_are_as_alone(Decoder(tables), changed) < len(changed)


def test_stuffed_bytes_at_every_place_are_taken_out() -> None:
    # A comment of growing length moves the scan against whatever is read at once.
    frame = frames_of(TABLE_SETS["fine"])[5]
    assert streams.scan_of(frame).count(b"\xff\0") > 20
    for lead in range(20):
        moved = frame[:2] + streams.segment(0xFE, bytes(lead)) + frame[2:]
        errors, y, _ = decoded(Decoder(TABLE_SETS["fine"]), [moved, moved, moved])
        assert errors == [None] * 3
        assert y == decoded(Decoder(TABLE_SETS["fine"]), [frame])[1] * 3


def test_restarts_fill_bytes_and_segments_behind_the_scan_end_as_alone() -> None:
    tables = TABLE_SETS["usual"]
    pillows = [
        pictures.pillow_jpeg(picture, quality=50, subsampling=2, restart_marker_blocks=2) for picture in PICTURES[:4]
    ]
    frames = frames_of(tables)
    filled = [frame[:-2] + b"\xff\xff\xff" + frame[-2:] for frame in frames[:4]]
    commented = [frame[:-2] + streams.segment(0xFE, b"behind") + frame[-2:] for frame in frames[:4]]
    trailed = [frame + b"more" for frame in frames[:4]]
    for batch in (pillows, filled, commented, trailed, [*filled, *frames, *commented]):
        assert assert_rows_are_as_alone(Decoder(tables), batch) == len(batch)


def test_a_byte_left_over_after_the_last_block_is_refused_in_each_of_two_frames() -> None:
    # Six blocks of an MCU: luma's DC size 0 (00) and end (1010), chroma's (00) and (00), end where a byte ends.
    scan = int("001010" * 4 + "0000" * 2, 2).to_bytes(4) * 6
    frame = frames_of(TABLE_SETS["usual"])[0]
    prefix = frame[: streams.segments(frame)[-1][2]]
    whole, longer = prefix + scan + EOI, prefix + scan + b"\1" + EOI
    assert assert_rows_are_as_alone(Decoder(TABLE_SETS["usual"]), [whole, longer, whole, longer, longer]) == 2


def test_a_scan_may_name_cr_before_cb() -> None:
    frames = frames_of(TABLE_SETS["usual"])
    header = streams.segments(frames[0])[-1][1]
    swapped = [frame.replace(frame[header:][:14], b"\xff\xda\0\x0c\3\1\0\3\x11\2\x11\0\x3f\0") for frame in frames]
    assert assert_rows_are_as_alone(Decoder(TABLE_SETS["usual"]), swapped) == len(frames)
    _, _, c = decoded(Decoder(TABLE_SETS["usual"]), frames)
    _, _, exchanged = decoded(Decoder(TABLE_SETS["usual"]), swapped)
    planes = np.frombuffer(c, np.int16).reshape(len(frames), 2, 64, 2, 3)
    np.testing.assert_array_equal(np.frombuffer(exchanged, np.int16).reshape(planes.shape), planes[:, ::-1])


def test_frames_that_begin_alike_but_do_not_fit_the_planes_are_refused() -> None:
    tables = TABLE_SETS["usual"]
    small = Encoder(tables).encode_batch(np.stack(PICTURES)[:, :16])
    full = Encoder(TableSet.standard(50, Sampling.YUV444)).encode_batch(np.stack(PICTURES), Stream.INTERCHANGE)
    for frames in (small, full, [small[0], *frames_of(tables), small[1]]):
        errors, _, _ = decoded(Decoder(tables), frames)
        for frame, error in zip(frames, errors, strict=True):
            assert isinstance(error, JpegError) is (frame in small or frame in full)
        assert_rows_are_as_alone(Decoder(tables), frames)
