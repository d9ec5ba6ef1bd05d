"""A decoder bound to its planes: the same levels and errors as any other way, frame after frame."""

import gc
import threading
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.jpeg import (
    BoundDecoder,
    Decoder,
    Encoder,
    JpegError,
    Limits,
    NotAJpegError,
    Sampling,
    Stream,
    TableSet,
    UnknownTablesError,
)
from tests.fuzz.jpeg_mutations import Corpus
from tests.shared.jpeg import pictures, streams

TABLES = TableSet.standard(75)
IMAGES = np.stack([pictures.natural(32, 48, seed) for seed in range(7)])
FRAMES = Encoder(TABLES).encode_batch(IMAGES)
INTERCHANGE = Encoder(TABLES).encode_batch(IMAGES, Stream.INTERCHANGE)
OTHER_STEPS = Encoder(TableSet.standard(30)).encode_batch(IMAGES, Stream.INTERCHANGE)
PILLOWS = [pictures.pillow_jpeg(image, quality=75, subsampling=2, optimize=True) for image in IMAGES[:2]]
RESTARTS = [pictures.pillow_jpeg(image, quality=75, subsampling=2, restart_marker_blocks=2) for image in IMAGES[:2]]
FILLED = [frame[:-2] + b"\xff\xff" + frame[-2:] for frame in FRAMES[:2]]
COMMENTED = [frame[:-2] + streams.segment(0xFE, b"behind the scan") + frame[-2:] for frame in FRAMES[:2]]
TRAILED = [frame + b"behind the end" for frame in FRAMES[:2]]
SOURCES = [*FRAMES, *INTERCHANGE, *OTHER_STEPS[:2], *PILLOWS, *RESTARTS, *FILLED, *COMMENTED, *TRAILED]


def planes(count: int = 1, dtype: type = np.int16) -> tuple[NDArray[Any], NDArray[Any]]:
    """Planes full of a number that must be overwritten."""
    return np.full((count, 64, 4, 6), 77, dtype), np.full((count, 128, 2, 3), 77, dtype)


def outcome(decoder: Decoder, frame: bytes, dtype: type) -> tuple[str, bytes, bytes]:
    """The error, y and c of a frame in a batch of its own."""
    y, c = planes(1, dtype)
    (error,) = decoder.decode_batch([frame], y, c, dequantise=dtype is np.float32)
    return repr(error), y.tobytes(), c.tobytes()


def damaged(count: int) -> Iterator[bytes]:
    """Damaged frames, each between whole ones."""
    corpus = Corpus(SOURCES)
    for seed in range(count):
        yield corpus.mutated(Random(seed))
        yield SOURCES[seed % len(SOURCES)]


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_what_was_read_before_changes_no_outcome(dtype: type) -> None:
    decoder = Decoder(TABLES)
    y, c = planes(1, dtype)
    bound = decoder.into(y, c, dequantise=dtype is np.float32)
    for frame in damaged(1500):
        error: JpegError | None = None
        try:
            bound.decode(frame)
        except JpegError as caught:
            error = caught
        assert (repr(error), y.tobytes(), c.tobytes()) == outcome(decoder, frame, dtype)


@pytest.mark.parametrize("frames", [FRAMES, INTERCHANGE, RESTARTS])
def test_every_cut_of_a_frame_whose_prefix_is_known_ends_like_that_of_any_other(frames: list[bytes]) -> None:
    decoder = Decoder(TABLES)
    y, c = planes()
    bound = decoder.into(y, c)
    for length in range(len(frames[1]) - 2):
        bound.decode(frames[0])
        for cut in (frames[1][:length], frames[1][:length] + b"\xff\xd9"):
            with pytest.raises(JpegError) as caught:
                bound.decode(cut)
            assert (repr(caught.value), y.tobytes(), c.tobytes()) == outcome(decoder, cut, np.int16)
            assert not y.any()


def test_a_frame_goes_into_the_planes_and_an_error_leaves_zeros() -> None:
    y, c = planes()
    bound = Decoder(TABLES).into(y, c)
    for frame, image in zip(FRAMES, IMAGES, strict=True):
        bound.decode(frame)
        expected_y, expected_c = Encoder(TABLES).quantise_batch(image[np.newaxis])
        np.testing.assert_array_equal(y, expected_y)
        np.testing.assert_array_equal(c, expected_c)
    with pytest.raises(NotAJpegError):
        bound.decode(b"hello")
    assert not y.any()
    assert not c.any()


def test_what_stands_behind_a_scan_names_the_tables_of_no_frame() -> None:
    frame = OTHER_STEPS[0]
    claimed = frame[:-2] + streams.segment(0xEA, b"DWpoisoned") + frame[-2:]
    y, c = planes()
    bound = Decoder(TABLES).into(y, c)
    for one in (claimed, frame):
        with pytest.raises(UnknownTablesError) as caught:
            bound.decode(one)
        assert caught.value.tables_id is None


def test_a_batch_may_be_decoded_again_and_again() -> None:
    y, c = planes(3)
    bound = Decoder(TABLES).into(y, c)
    for frames in (FRAMES[:3], INTERCHANGE[3:6], FRAMES[4:7]):
        assert bound.decode_batch(frames, threads=2) == [None] * 3
        expected_y, expected_c = planes(3)
        Decoder(TABLES).decode_batch(frames, expected_y, expected_c)
        np.testing.assert_array_equal(y, expected_y)
        np.testing.assert_array_equal(c, expected_c)


def test_a_limit_holds_for_a_frame_whose_prefix_is_known() -> None:
    y, c = planes()
    bound = Decoder(TABLES, Limits(max_bytes=len(FRAMES[0]))).into(y, c)
    bound.decode(FRAMES[0])
    with pytest.raises(JpegError, match="max_bytes"):
        bound.decode(FRAMES[0] + b"\0")


def test_too_few_bytes_behind_a_known_head_are_told() -> None:
    y, c = planes()
    bound = Decoder(TABLES).into(y, c)
    bound.decode(FRAMES[0])
    prefix = len(FRAMES[0]) - len(streams.scan_of(FRAMES[0])) - 2
    with pytest.raises(JpegError, match="cannot fit"):
        bound.decode(FRAMES[0][: prefix + 2])


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_other_buffers_are_read_as_the_bytes_they_hold(kind: Callable[[bytes], Any]) -> None:
    y, c = planes()
    Decoder(TABLES).into(y, c).decode(kind(FRAMES[0]))
    expected_y, expected_c = planes()
    Decoder(TABLES).decode_batch([kind(FRAMES[0])], expected_y, expected_c)
    np.testing.assert_array_equal(y, expected_y)
    even: Any = memoryview(FRAMES[0] + bytes(len(FRAMES[0]) % 2)).cast("H")
    assert Decoder(TABLES).decode_batch([even], expected_y, expected_c) == [None]
    np.testing.assert_array_equal(y, expected_y)


def test_no_byte_behind_the_given_ones_is_read() -> None:
    class Boastful(bytes):
        def __len__(self) -> int:
            return 1 << 40

    y, c = planes()
    bound = Decoder(TABLES).into(y, c)
    with pytest.raises(JpegError, match="the data end"):
        bound.decode(Boastful(b"\xff\xd8\xff"))
    assert "the data end" in str(bound.decode_batch([Boastful(b"\xff\xd8\xff")])[0])


def test_the_wrong_number_of_frames_is_the_callers_mistake() -> None:
    bound = Decoder(TABLES).into(*planes(2))
    for call in (lambda: bound.decode(FRAMES[0]), lambda: bound.decode_batch(FRAMES)):
        with pytest.raises(ValueError, match=r"one frame|7 frames for 2 rows"):
            call()


def test_planes_that_do_not_fit_are_the_callers_mistake() -> None:
    for y, c in (planes(1, np.float32), (planes(1)[0], planes(2)[1]), (np.zeros(()), np.zeros(()))):
        with pytest.raises(ValueError):
            Decoder(TABLES).into(y, c)


def test_the_planes_and_the_decoder_live_as_long_as_what_is_bound_to_them() -> None:
    def bound() -> tuple[BoundDecoder, NDArray[Any]]:
        y, c = planes()
        return Decoder(TABLES).into(y, c), y

    made, y = bound()
    gc.collect()
    made.decode(FRAMES[0])
    np.testing.assert_array_equal(y, Encoder(TABLES).quantise_batch(IMAGES[:1])[0])
    for refcheck in (True, False):
        with pytest.raises(ValueError, match="resize"):
            y.resize(1 << 20, refcheck=refcheck)


def test_a_second_thread_is_refused_or_served_but_never_harmed() -> None:
    big = np.zeros((1, 64, 64, 64), np.int16), np.zeros((1, 128, 32, 32), np.int16)
    frame = Encoder(TABLES).encode(pictures.natural(512, 512, 1))
    bound = Decoder(TABLES).into(*big)
    expected = Decoder().decode(streams.with_tables(frame, TABLES)).planes[0]
    refusals: list[str] = []

    def work() -> None:
        for _ in range(200):
            try:
                bound.decode(frame)
            except ValueError as error:
                refusals.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(big[0][0], expected)
    assert set(refusals) <= {"another thread is decoding into these planes"}


def test_grey_tables_serve_a_bound_decoder_too() -> None:
    y, c = planes()
    grey = Decoder(TableSet.standard(75, Sampling.GREY))
    with pytest.raises(JpegError):
        grey.into(y, c).decode(Encoder(TableSet.standard(75, Sampling.GREY)).encode(IMAGES[0]))


def test_a_refused_call_leaves_the_error_of_the_other_alone() -> None:
    big = np.zeros((1, 64, 64, 64), np.int16), np.zeros((1, 128, 32, 32), np.int16)
    frame = Encoder(TABLES).encode(pictures.natural(512, 512, 1))
    broken = frame[:-9] + b"\xff\xd9"
    bound = Decoder(TABLES).into(*big)
    told: list[str] = []

    def work(data: bytes) -> None:
        for _ in range(300):
            try:
                bound.decode(data)
            except (ValueError, JpegError) as error:
                told.append(f"{data is broken} {error!r}")

    threads = [threading.Thread(target=work, args=(data,)) for data in (broken, broken, frame)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(JpegError) as caught:
        bound.decode(broken)
    refusal = repr(ValueError("another thread is decoding into these planes"))
    assert set(told) <= {f"True {caught.value!r}", f"True {refusal}", f"False {refusal}"}
