"""Encoding: bit for bit what libjpeg codes with the same tables, in every kind of stream."""

import io
import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from shared.jpeg import Coefficients, Colours, Decoder, Encoder, Sampling, Simd, Stream, SymbolCounts, TableSet
from tests.shared.jpeg import pictures, streams

SUBSAMPLINGS = {Sampling.YUV444: 0, Sampling.YUV422: 1, Sampling.YUV420: 2}
KINDS = {"natural": pictures.natural, "noise": pictures.noise, "extremes": pictures.extremes}

every_sampling = pytest.mark.parametrize("sampling", [Sampling.GREY, *SUBSAMPLINGS])
every_simd = pytest.mark.parametrize("simd", Simd.available())


def pillow_scan(picture: pictures.Pixels, sampling: Sampling, quality: int) -> bytes:
    """The entropy-coded bytes of libjpeg with its default Huffman tables."""
    options = {} if sampling is Sampling.GREY else {"subsampling": SUBSAMPLINGS[sampling]}
    return streams.scan_of(pictures.pillow_jpeg(picture, quality=quality, **options))


def our_scan(picture: pictures.Pixels, sampling: Sampling, quality: int, simd: Simd) -> bytes:
    """The entropy-coded bytes of our encoder with the same tables."""
    return Encoder(TableSet.standard(quality, sampling), simd=simd).encode(picture, Stream.SCAN)


@every_simd
@every_sampling
@pytest.mark.parametrize("side", range(1, 71))
def test_every_size_is_coded_bit_for_bit_like_libjpeg(sampling: Sampling, side: int, simd: Simd) -> None:
    rng = np.random.default_rng(1000 + side)
    for height, width in {(side, side), (side, int(rng.integers(1, 71))), (int(rng.integers(1, 71)), side)}:
        draw = list(KINDS.values())[int(rng.integers(3))]
        picture = draw(height, width, side)
        picture = picture[..., 0] if sampling is Sampling.GREY else picture
        quality = int(rng.integers(1, 101))
        assert our_scan(picture, sampling, quality, simd) == pillow_scan(picture, sampling, quality)


@every_simd
@pytest.mark.parametrize("quality", range(1, 101))
def test_every_quality_is_coded_bit_for_bit_like_libjpeg(quality: int, simd: Simd) -> None:
    for draw in KINDS.values():
        picture = draw(48, 32, quality)
        assert our_scan(picture, Sampling.YUV420, quality, simd) == pillow_scan(picture, Sampling.YUV420, quality)


@every_simd
@every_sampling
def test_a_photograph_is_coded_bit_for_bit_like_libjpeg(sampling: Sampling, simd: Simd) -> None:
    picture = pictures.photograph()
    picture = np.ascontiguousarray(picture[..., 1]) if sampling is Sampling.GREY else picture
    for quality in (12, 50, 90, 100):
        assert our_scan(picture, sampling, quality, simd) == pillow_scan(picture, sampling, quality)


@every_simd
@pytest.mark.parametrize("seed", range(30))
def test_any_tables_give_libjpegs_levels(seed: int, simd: Simd) -> None:
    rng = np.random.default_rng(seed)
    tables = [bytes(rng.integers(1, 256, 64, dtype=np.uint8)) for _ in range(3)]
    tables[seed % 3] = tables[(seed + 1) % 3] if seed % 2 else tables[seed % 3]
    picture = list(KINDS.values())[seed % 3](40, 56, seed)
    ours = TableSet.standard().with_quant(tables)
    theirs = Decoder().decode(pictures.pillow_jpeg(picture, qtables=[list(t) for t in tables], subsampling=2))
    found = Decoder().decode(Encoder(ours, simd=simd).encode(picture, Stream.INTERCHANGE))
    assert found.quant == theirs.quant == tuple(tables)
    for plane, expected in zip(found.planes, theirs.planes, strict=True):
        np.testing.assert_array_equal(plane, expected)


@every_simd
@every_sampling
@pytest.mark.parametrize("width", [side + step for side in (96, 128, 192, 256) for step in (-9, -8, -1, 0, 1, 7, 8, 9)])
def test_rows_that_end_inside_a_vector_are_coded_bit_for_bit_like_libjpeg(
    sampling: Sampling, width: int, simd: Simd
) -> None:
    picture = pictures.noise(17, width, width)
    picture = picture[..., 0] if sampling is Sampling.GREY else picture
    assert our_scan(picture, sampling, 75, simd) == pillow_scan(picture, sampling, 75)


@every_simd
@pytest.mark.parametrize("quality", [1, 50, 100])
def test_the_extremes_of_every_frequency_are_coded_bit_for_bit_like_libjpeg(quality: int, simd: Simd) -> None:
    at = np.cos(np.outer(2 * np.arange(8) + 1, np.arange(8)) * np.pi / 16)
    waves = np.einsum("yv,xu->vyux", at, at).reshape(64, 64) > 0
    for picture in (np.where(waves, 255, 0).astype(np.uint8), np.where(waves, 0, 255).astype(np.uint8)):
        assert our_scan(picture, Sampling.GREY, quality, simd) == pillow_scan(picture, Sampling.GREY, quality)


@pytest.mark.parametrize("simd", list(Simd))
def test_only_levels_that_the_processor_has_are_granted(simd: Simd) -> None:
    if simd in Simd.available():
        Encoder(TableSet.standard(), simd=simd)
    else:
        with pytest.raises(ValueError, match="this processor has no"):
            Encoder(TableSet.standard(), simd=simd)


def test_the_portable_level_is_always_there_and_never_the_default_where_another_is() -> None:
    assert Simd.available()[0] is Simd.PORTABLE
    assert Encoder(TableSet.standard()).simd is Simd.available()[-1]


@every_sampling
@pytest.mark.parametrize("tables_are_fitted", [False, True])
def test_pillow_sees_its_own_pixels_once_the_tables_are_put_back(sampling: Sampling, tables_are_fitted: bool) -> None:
    tables = TableSet.standard(60, sampling)
    picture = pictures.photograph()[:301, :203]
    options = {} if sampling is Sampling.GREY else {"subsampling": SUBSAMPLINGS[sampling]}
    if sampling is Sampling.GREY:
        picture = np.ascontiguousarray(picture[..., 0])
    if tables_are_fitted:
        counts = SymbolCounts()
        counts.add(*Encoder(TableSet.standard(60)).quantise_batch(pictures.photograph()[None, :592]))
        tables = tables.with_huffman(counts.tables()[: len(tables.huffman)])
    complete = streams.with_tables(Encoder(tables).encode(picture), tables)
    expected = pictures.pillow_jpeg(picture, quality=60, **options)
    np.testing.assert_array_equal(pictures.pillow_pixels(complete), pictures.pillow_pixels(expected))


def test_an_interchange_frame_is_an_ordinary_jpeg_for_pillow() -> None:
    picture = pictures.natural(50, 70, 3)
    ours = Encoder(TableSet.standard(75)).encode(picture, Stream.INTERCHANGE)
    theirs = pictures.pillow_jpeg(picture, quality=75, subsampling=2)
    np.testing.assert_array_equal(pictures.pillow_pixels(ours), pictures.pillow_pixels(theirs))


def test_an_abbreviated_colour_frame_is_its_scan_and_51_bytes() -> None:
    encoder = Encoder(TableSet.standard(75))
    picture = pictures.natural(32, 32, 3)
    frame, scan = encoder.encode(picture), encoder.encode(picture, Stream.SCAN)
    assert len(frame) == len(scan) + 51
    assert frame[49:-2] == scan
    assert frame[2:16] == b"\xff\xea\x00\x0cDW" + bytes.fromhex(encoder.tables.tables_id)


@pytest.mark.parametrize("stream", list(Stream))
def test_a_batch_is_its_images_coded_one_by_one(stream: Stream) -> None:
    batch = np.stack([pictures.natural(33, 47, seed) for seed in range(5)])
    encoder = Encoder(TableSet.standard(75))
    assert encoder.encode_batch(batch, stream) == [encoder.encode(image, stream) for image in batch]
    assert encoder.encode_batch(batch[:0], stream) == []


@pytest.mark.parametrize("threads", [-1, 0, 2, 3, 100, 1 << 64])
def test_threads_change_nothing(threads: int) -> None:
    batch = np.stack([pictures.natural(32, 48, seed) for seed in range(13)])
    for sampling in (Sampling.YUV420, Sampling.GREY):
        encoder = Encoder(TableSet.standard(75, sampling))
        assert encoder.encode_batch(batch, threads=threads) == [encoder.encode(image) for image in batch]
        for found, expected in zip(
            encoder.quantise_batch(batch, threads=threads), encoder.quantise_batch(batch), strict=True
        ):
            np.testing.assert_array_equal(found, expected)
    assert encoder.encode_batch(batch[:0], threads=threads) == []


@every_simd
@pytest.mark.parametrize("sampling", [Sampling.YUV420, Sampling.GREY])
def test_quantising_gives_what_decoding_the_coded_images_gives(sampling: Sampling, simd: Simd) -> None:
    batch = np.stack([pictures.natural(48, 32, seed) for seed in range(4)])
    tables = TableSet.standard(75, sampling)
    y, c = Encoder(tables, simd=simd).quantise_batch(batch)
    for index, frame in enumerate(Encoder(tables, simd=simd).encode_batch(batch)):
        found = Decoder(tables).decode(frame)
        np.testing.assert_array_equal(y[index], found.planes[0])
        if c is not None:
            np.testing.assert_array_equal(c[index], np.concatenate(found.planes[1:]))
    assert (c is None) == (sampling is Sampling.GREY)


def test_grey_tables_take_the_luma_of_a_colour_picture() -> None:
    picture = pictures.natural(40, 40, 8)
    colour = Decoder().decode(Encoder(TableSet.standard(75)).encode(picture, Stream.INTERCHANGE))
    grey_tables = TableSet.standard(75, Sampling.GREY)
    grey = Decoder().decode(Encoder(grey_tables).encode(picture, Stream.INTERCHANGE))
    np.testing.assert_array_equal(grey.planes[0], colour.planes[0])


def test_pixels_need_not_be_contiguous() -> None:
    picture = pictures.natural(40, 60, 9)
    encoder = Encoder(TableSet.standard(75))
    assert encoder.encode(picture[::2, ::-1]) == encoder.encode(picture[::2, ::-1].copy())


def test_one_encoder_serves_many_threads() -> None:
    encoder = Encoder(TableSet.standard(75))
    images = [pictures.natural(64, 64, seed) for seed in range(8)]
    expected = [encoder.encode(image) for image in images]
    found: dict[int, list[bytes]] = {}

    def work(thread: int) -> None:
        found[thread] = [encoder.encode(image) for image in images * 5]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(frames == expected * 5 for frames in found.values())
    assert len(found) == 4


@pytest.mark.parametrize(
    ("pixels", "sampling"),
    [
        (np.zeros((8, 8, 3), np.float32), Sampling.YUV420),
        (np.zeros((8, 8, 4), np.uint8), Sampling.YUV420),
        (np.zeros((8, 8), np.uint8), Sampling.YUV420),
        (np.zeros((8, 8, 1), np.uint8), Sampling.YUV420),
        (np.zeros((0, 8, 3), np.uint8), Sampling.YUV420),
        (np.zeros((1, 65536, 3), np.uint8), Sampling.YUV420),
        (np.zeros((1, 8, 8, 3), np.uint8), Sampling.GREY),
    ],
)
def test_pixels_of_another_kind_are_the_callers_mistake(pixels: NDArray[Any], sampling: Sampling) -> None:
    with pytest.raises(ValueError):
        Encoder(TableSet.standard(75, sampling)).encode(pixels)


def test_only_multiples_of_16_are_quantised_as_batches() -> None:
    with pytest.raises(ValueError, match="multiples of 16"):
        Encoder(TableSet.standard()).quantise_batch(np.zeros((1, 24, 32, 3), np.uint8))


def test_levels_of_other_tables_are_not_coded() -> None:
    levels = Decoder().decode(Encoder(TableSet.standard(75)).encode(pictures.natural(16, 16, 1), Stream.INTERCHANGE))
    with pytest.raises(ValueError, match="other tables"):
        Encoder(TableSet.standard(74)).encode_coefficients(levels)


@pytest.mark.parametrize(("frequency", "level"), [(0, 1024), (0, -1025), (5, 1024), (63, -1024)])
def test_levels_without_codes_are_not_coded(frequency: int, level: int) -> None:
    tables = TableSet.standard(100, Sampling.GREY)
    plane = np.zeros((64, 1, 1), np.int16)
    plane[frequency] = level
    levels = Coefficients(8, 8, Sampling.GREY, (plane,), tables.quant)
    with pytest.raises(ValueError, match="level is outside"):
        Encoder(tables).encode_coefficients(levels)


@pytest.mark.parametrize(("frequency", "level"), [(0, 1023), (0, -1024), (5, 1023), (63, -1023)])
def test_the_largest_levels_are_coded(frequency: int, level: int) -> None:
    tables = TableSet.standard(100, Sampling.GREY)
    plane = np.zeros((64, 2, 1), np.int16)
    plane[frequency, 0], plane[frequency, 1] = level, -1 - level if frequency == 0 else -level
    levels = Coefficients(16, 8, Sampling.GREY, (plane,), tables.quant)
    frame = Encoder(tables).encode_coefficients(levels)
    np.testing.assert_array_equal(Decoder(tables).decode(frame).planes[0], plane)


def test_a_mistake_leaves_the_encoder_as_it_was() -> None:
    encoder = Encoder(TableSet.standard(75))
    picture = pictures.natural(40, 60, 9)
    expected = encoder.encode(picture)
    for _ in range(3):
        with pytest.raises(ValueError, match="does not fit in a JPEG"):
            encoder.encode(np.zeros((0, 8, 3), np.uint8))
        assert encoder.encode(picture) == expected


def test_sizes_may_change_from_image_to_image() -> None:
    encoder = Encoder(TableSet.standard(75))
    images = [pictures.natural(height, width, 9) for height, width in [(64, 64), (8, 120), (200, 8), (64, 64)]]
    expected = [Encoder(TableSet.standard(75)).encode(image) for image in images]
    assert [encoder.encode(image) for image in images] == expected


@every_simd
@every_sampling
def test_ycbcr_is_coded_as_it_is_like_libjpeg_does(sampling: Sampling, simd: Simd) -> None:
    tables = TableSet.standard(85, sampling)
    for height, width in [(48, 32), (33, 47), (1, 1)]:
        ycbcr = pictures.noise(height, width, 7)
        out = io.BytesIO()
        if sampling is Sampling.GREY:
            Image.fromarray(ycbcr[..., 0]).save(out, "jpeg", quality=85)
        else:
            options = {"quality": 85, "subsampling": SUBSAMPLINGS[sampling]}
            Image.frombytes("YCbCr", (width, height), ycbcr.tobytes()).save(out, "jpeg", **options)
        encoder = Encoder(tables, colours=Colours.YCBCR, simd=simd)
        assert encoder.encode(ycbcr, Stream.SCAN) == streams.scan_of(out.getvalue())
        assert encoder.encode_batch(ycbcr[np.newaxis], Stream.SCAN) == [streams.scan_of(out.getvalue())]


def test_any_buffer_of_samples_is_coded() -> None:
    picture = pictures.natural(24, 40, 3)
    encoder = Encoder(TableSet.standard(60))
    buffer = memoryview(bytearray(picture.tobytes())).cast("B", (24, 40, 3))
    assert encoder.encode(buffer) == encoder.encode(picture)
    assert encoder.encode_batch(buffer.cast("B").cast("B", (1, 24, 40, 3))) == [encoder.encode(picture)]
    with pytest.raises(ValueError, match=r"not uint8 of \(2880,\)"):
        encoder.encode(memoryview(picture.tobytes()))
