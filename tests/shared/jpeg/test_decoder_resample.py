"""Frames of other samplings in a dequantised 4:2:0 batch: the coefficients that resampled pixels would have."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.jpeg import Coefficients, Decoder, Encoder, Sampling, Stream, TableSet, UnsupportedJpegError
from tests.reference.resample import brought_to_420
from tests.shared.jpeg import pictures

RESAMPLED = [sampling for sampling in Sampling if sampling not in {Sampling.GREY, Sampling.YUV420}]
every_other_sampling = pytest.mark.parametrize("sampling", [Sampling.GREY, *RESAMPLED])


def planes(count: int, height: int, width: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Float planes full of a number that must be overwritten."""
    y = np.full((count, 64, height // 8, width // 8), 77, np.float32)
    return y, np.full((count, 128, height // 16, width // 16), 77, np.float32)


def dequantised(levels: Coefficients) -> list[NDArray[Any]]:
    """The dequantised coefficients of each component, float64 (64, rows, columns)."""
    steps = [np.frombuffer(table, np.uint8).astype(float)[:, None, None] for table in levels.quant]
    return [plane * step for plane, step in zip(levels.planes, steps, strict=True)]


def expected_chroma(levels: Coefficients) -> NDArray[Any]:
    """What `c` must hold for these levels."""
    columns = levels.width // 16
    return np.concatenate([brought_to_420(plane, levels.sampling, columns) for plane in dequantised(levels)[1:]])


def coded(
    sampling: Sampling, height: int, width: int, quality: float = 80, draw: pictures.Draw = pictures.natural
) -> bytes:
    """An interchange frame of a picture in this sampling."""
    picture = draw(height, width, height + 3 * width)
    return Encoder(TableSet.standard(quality, sampling)).encode(picture, Stream.INTERCHANGE)


@pytest.mark.parametrize("sampling", RESAMPLED)
@pytest.mark.parametrize("draw", [pictures.natural, pictures.noise, pictures.extremes, pictures.flat])
@pytest.mark.parametrize("size", [(16, 16), (16, 48), (32, 128), (64, 144), (240, 320)])
def test_chroma_is_that_of_the_means_of_neighbouring_pixels(
    sampling: Sampling, draw: pictures.Draw, size: tuple[int, int]
) -> None:
    frame = coded(sampling, *size, draw=draw)
    y, c = planes(1, *size)
    assert Decoder().decode_batch([frame], y, c, dequantise=True) == [None]
    levels = Decoder().decode(frame)
    np.testing.assert_array_equal(y[0], dequantised(levels)[0].astype(np.float32))
    np.testing.assert_allclose(c[0], expected_chroma(levels), rtol=0, atol=1e-3)


def test_chroma_of_a_photograph_in_other_samplings_is_near_that_of_the_same_photograph_in_420() -> None:
    picture, (height, width) = pictures.photograph()[:592, :512], (592, 512)
    frames = [coded(sampling, height, width, 100, lambda *_: picture) for sampling in RESAMPLED]
    frames.append(coded(Sampling.YUV420, height, width, 100, lambda *_: picture))
    y, c = planes(5, height, width)
    assert Decoder().decode_batch(frames, y, c, dequantise=True) == [None] * 5
    for sampling, resampled in zip(RESAMPLED, c[:4], strict=True):
        assert abs(resampled - c[4]).mean() < (1.5 if sampling is Sampling.YUV411 else 0.5)
    np.testing.assert_array_equal(y[0], y[4])


def test_a_grey_frame_has_no_chroma() -> None:
    frame = coded(Sampling.GREY, 32, 48)
    y, c = planes(1, 32, 48)
    assert Decoder().decode_batch([frame], y, c, dequantise=True) == [None]
    np.testing.assert_array_equal(y[0], dequantised(Decoder().decode(frame))[0].astype(np.float32))
    assert not c.any()


@pytest.mark.parametrize("threads", [1, 3])
def test_frames_of_every_sampling_share_a_batch(threads: int) -> None:
    frames = [coded(sampling, 32, 48) for sampling in [*Sampling, *Sampling]] + [b"hello"]
    y, c = planes(13, 32, 48)
    errors = Decoder().decode_batch(frames, y, c, dequantise=True, threads=threads)
    assert errors[:12] == [None] * 12
    assert errors[12] is not None
    for index, frame in enumerate(frames[:12]):
        alone_y, alone_c = planes(1, 32, 48)
        Decoder().decode_batch([frame], alone_y, alone_c, dequantise=True)
        np.testing.assert_array_equal(y[index], alone_y[0])
        np.testing.assert_array_equal(c[index], alone_c[0])


@every_other_sampling
def test_an_abbreviated_frame_of_another_sampling_is_read_with_its_tables(sampling: Sampling) -> None:
    tables = TableSet.standard(60, sampling)
    frame = Encoder(tables).encode(pictures.natural(32, 32, 1))
    y, c = planes(1, 32, 32)
    assert Decoder(tables).decode_batch([frame], y, c, dequantise=True) == [None]
    assert y.any()


@every_other_sampling
def test_a_batch_of_levels_takes_420_only(sampling: Sampling) -> None:
    y, c = (plane.astype(np.int16) for plane in planes(1, 32, 32))
    (error,) = Decoder().decode_batch([coded(sampling, 32, 32)], y, c)
    assert isinstance(error, UnsupportedJpegError)
    assert not y.any()
    assert not c.any()


@every_other_sampling
def test_a_frame_of_another_size_is_refused_whatever_its_sampling(sampling: Sampling) -> None:
    y, c = planes(1, 32, 32)
    for size in [(32, 48), (31, 32), (32, 31)]:
        (error,) = Decoder().decode_batch([coded(sampling, *size)], y, c, dequantise=True)
        assert isinstance(error, UnsupportedJpegError)
        assert f"{size[0]} x {size[1]}" in str(error)
        assert not y.any()
        assert not c.any()


@every_other_sampling
def test_a_damaged_frame_of_another_sampling_leaves_zeros(sampling: Sampling) -> None:
    y, c = planes(1, 64, 64)
    frame = coded(sampling, 64, 64)
    (error,) = Decoder().decode_batch([frame[:-40] + b"\xff\xd9"], y, c, dequantise=True)
    assert error is not None
    assert not y.any()
    assert not c.any()
