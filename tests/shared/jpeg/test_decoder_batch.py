"""Batches: each row is its frame's levels, and a bad frame harms no other."""

import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import PeerError
from shared.jpeg import (
    CorruptScanError,
    Decoder,
    Encoder,
    NotAJpegError,
    Sampling,
    Stream,
    TableSet,
    UnknownTablesError,
    UnsupportedJpegError,
)
from tests.shared.jpeg import pictures
from tests.shared.jpeg.levels import colour_levels

TABLES = TableSet.standard(75)
IMAGES = np.stack([pictures.natural(32, 48, seed) for seed in range(9)])
FRAMES = Encoder(TABLES).encode_batch(IMAGES)
LEVELS_Y, LEVELS_C = colour_levels(Encoder(TABLES), IMAGES)


def planes(count: int = 9, dtype: type = np.int16) -> tuple[NDArray[Any], NDArray[Any]]:
    """Planes full of a number that must be overwritten."""
    return np.full((count, 64, 4, 6), 77, dtype), np.full((count, 128, 2, 3), 77, dtype)


@pytest.mark.parametrize("threads", [-1, 0, 1, 2, 3, 8, 100, 1 << 64])
@pytest.mark.parametrize("stream", [Stream.ABBREVIATED, Stream.INTERCHANGE])
def test_each_row_holds_its_frames_levels(threads: int, stream: Stream) -> None:
    y, c = planes()
    frames = Encoder(TABLES).encode_batch(IMAGES, stream)
    assert Decoder(TABLES).decode_batch(frames, y, c, threads=threads) == [None] * 9
    np.testing.assert_array_equal(y, LEVELS_Y)
    np.testing.assert_array_equal(c, LEVELS_C)


def test_dequantised_planes_hold_level_times_step() -> None:
    y, c = planes(dtype=np.float32)
    assert Decoder(TABLES).decode_batch(FRAMES, y, c, dequantise=True) == [None] * 9
    steps = [np.frombuffer(table, np.uint8)[:, None, None] for table in TABLES.quant]
    np.testing.assert_array_equal(y, LEVELS_Y.astype(np.float32) * steps[0])
    np.testing.assert_array_equal(c[:, :64], LEVELS_C[:, :64].astype(np.float32) * steps[1])
    np.testing.assert_array_equal(c[:, 64:], LEVELS_C[:, 64:].astype(np.float32) * steps[2])


def test_dequantising_takes_each_frames_own_steps() -> None:
    y, c = planes(2, np.float32)
    other = TableSet.standard(30)
    frames = [FRAMES[0], Encoder(other).encode(IMAGES[0], Stream.INTERCHANGE)]
    assert Decoder(TABLES).decode_batch(frames, y, c, dequantise=True) == [None, None]
    found = Decoder().decode(frames[1])
    np.testing.assert_array_equal(y[1], found.planes[0] * np.frombuffer(other.quant[0], np.uint8)[:, None, None])


@pytest.mark.parametrize("threads", [1, 3])
def test_bad_frames_leave_zeros_and_their_errors_and_harm_no_other(threads: int) -> None:
    bad = {
        0: (FRAMES[0][:-9] + b"\xff\xd9", CorruptScanError),
        2: (b"hello", NotAJpegError),
        3: (Encoder(TableSet.standard(74)).encode(IMAGES[3]), UnknownTablesError),
        5: (Encoder(TABLES).encode(IMAGES[5, :16]), UnsupportedJpegError),
        6: (pictures.pillow_jpeg(IMAGES[6], quality=75, subsampling=0), UnsupportedJpegError),
        8: (pictures.pillow_jpeg(IMAGES[8], quality=75, subsampling=2, progressive=True)[:-200], CorruptScanError),
    }
    frames = [bad[index][0] if index in bad else frame for index, frame in enumerate(FRAMES)]
    y, c = planes()
    errors = Decoder(TABLES).decode_batch(frames, y, c, threads=threads)
    for index, error in enumerate(errors):
        if index in bad:
            assert isinstance(error, bad[index][1])
            assert isinstance(error, PeerError)
            assert not y[index].any()
            assert not c[index].any()
        else:
            assert error is None
            np.testing.assert_array_equal(y[index], LEVELS_Y[index])
            np.testing.assert_array_equal(c[index], LEVELS_C[index])


def test_levels_of_other_steps_do_not_enter_a_batch() -> None:
    y, c = planes(2)
    other = Encoder(TableSet.standard(74)).encode(IMAGES[1], Stream.INTERCHANGE)
    errors = Decoder(TABLES).decode_batch([FRAMES[0], other], y, c)
    assert errors[0] is None
    assert isinstance(errors[1], UnknownTablesError)
    assert not y[1].any()


@pytest.mark.parametrize("threads", [1, 2])
def test_no_frame_of_other_steps_enters_a_batch_however_many_share_a_prefix(threads: int) -> None:
    y, c = planes()
    others = Encoder(TableSet.standard(74)).encode_batch(IMAGES, Stream.INTERCHANGE)
    errors = Decoder(TABLES).decode_batch(others, y, c, threads=threads)
    assert [type(error) for error in errors] == [UnknownTablesError] * len(others)
    assert not y.any()
    assert not c.any()


def test_a_decoder_without_tables_takes_interchange_frames_of_any_steps() -> None:
    y, c = planes(2)
    frames = [Encoder(TableSet.standard(q)).encode(IMAGES[0], Stream.INTERCHANGE) for q in (20, 90)]
    assert Decoder().decode_batch(frames, y, c) == [None, None]
    np.testing.assert_array_equal(y[1], Decoder().decode(frames[1]).planes[0])


def test_an_empty_batch_is_no_work() -> None:
    assert Decoder(TABLES).decode_batch([], *planes(0)) == []


def test_a_size_that_is_no_multiple_of_16_is_refused_frame_by_frame() -> None:
    y, c = planes(1)
    errors = Decoder(TABLES).decode_batch([Encoder(TABLES).encode(IMAGES[0, :31, :47])], y, c)
    assert isinstance(errors[0], UnsupportedJpegError)
    assert "31 x 47" in str(errors[0])


@pytest.mark.parametrize(
    ("y", "c"),
    [
        (np.zeros((1, 64, 4, 6), np.float32), np.zeros((1, 128, 2, 3), np.float32)),
        (np.zeros((1, 64, 4, 6), np.int16), np.zeros((1, 128, 2, 3), np.int32)),
        (np.zeros((2, 64, 4, 6), np.int16), np.zeros((2, 128, 2, 3), np.int16)),
        (np.zeros((1, 64, 4, 4), np.int16), np.zeros((1, 128, 2, 3), np.int16)),
        (np.zeros((1, 64, 4, 6), np.int16), np.zeros((1, 64, 2, 3), np.int16)),
        (np.zeros((1, 64, 24), np.int16), np.zeros((1, 128, 6), np.int16)),
        (np.zeros((1, 64, 0, 0), np.int16), np.zeros((1, 128, 0, 0), np.int16)),
        (np.zeros((1, 64, 4, 12), np.int16)[..., ::2], np.zeros((1, 128, 2, 3), np.int16)),
    ],
)
def test_planes_that_do_not_fit_are_the_callers_mistake(y: NDArray[Any], c: NDArray[Any]) -> None:
    with pytest.raises(ValueError):
        Decoder(TABLES).decode_batch(FRAMES[:1], y, c)


def test_planes_that_may_not_be_written_are_the_callers_mistake() -> None:
    y, c = planes(1)
    y.flags.writeable = False
    with pytest.raises((ValueError, BufferError)):
        Decoder(TABLES).decode_batch(FRAMES[:1], y, c)


def test_planes_that_overlap_are_the_callers_mistake() -> None:
    memory = np.zeros(2 * 64 * 24, np.int16)
    y, c = memory[: 64 * 24].reshape(1, 64, 4, 6), memory[64 * 24 - 1 :][: 128 * 6].reshape(1, 128, 2, 3)
    with pytest.raises(ValueError, match="overlap"):
        Decoder(TABLES).decode_batch(FRAMES[:1], y, c)


def test_planes_that_are_not_aligned_are_the_callers_mistake() -> None:
    _, c = planes(1)
    y = np.frombuffer(bytearray(64 * 24 * 2 + 1), np.int16, offset=1).reshape(1, 64, 4, 6)
    assert y.flags.c_contiguous
    with pytest.raises(ValueError, match="aligned"):
        Decoder(TABLES).decode_batch(FRAMES[:1], y, c)


NO_MORE_THREADS = """
import resource
from pathlib import Path
from tests.shared.jpeg.test_decoder_batch import Decoder, FRAMES, LEVELS_Y, TABLES, planes

y, c = planes()
decoder = Decoder(TABLES)
in_use_bytes = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use_bytes + (1 << 20),) * 2)
assert decoder.decode_batch(FRAMES, y, c, threads=4) == [None] * 9
assert (y == LEVELS_Y).all()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on memory is Linux's")
def test_a_batch_is_decoded_even_where_the_system_grants_no_more_threads() -> None:
    subprocess.run([sys.executable, "-c", NO_MORE_THREADS], check=True)


def test_one_decoder_serves_many_threads() -> None:
    decoder = Decoder(TABLES)
    results: list[bool] = []

    def work() -> None:
        for _ in range(20):
            y, c = planes()
            decoder.decode_batch(FRAMES, y, c)
            results.append(bool((y == LEVELS_Y).all() and (c == LEVELS_C).all()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 80


def test_grey_frames_do_not_enter_a_colour_batch() -> None:
    y, c = planes(1)
    grey = Encoder(TableSet.standard(75, Sampling.GREY)).encode(IMAGES[0], Stream.INTERCHANGE)
    assert isinstance(Decoder().decode_batch([grey], y, c)[0], UnsupportedJpegError)
