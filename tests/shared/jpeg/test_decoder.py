"""Decoding: every decoder finds the levels that went in, whatever the stream looks like."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from shared.jpeg import Coefficients, Decoder, Encoder, Sampling, Stream, SymbolCounts, TableSet
from tests.shared.jpeg import pictures, streams
from tests.shared.jpeg.twins import TWINS, Decode, libjpeg, recoded_by_libjpeg

SUBSAMPLINGS = {Sampling.YUV444: 0, Sampling.YUV422: 1, Sampling.YUV420: 2}

every_decoder = pytest.mark.parametrize("decode", TWINS.values(), ids=TWINS.keys())
every_sampling = pytest.mark.parametrize("sampling", list(Sampling))


def coded(sampling: Sampling, height: int, width: int, quality: float = 80, **options: object) -> bytes:
    """The JPEG that Pillow makes of a picture of this size or, in a sampling that it does not write, our encoder."""
    picture = pictures.natural(height, width, height * 71 + width)
    if sampling is Sampling.GREY:
        return pictures.pillow_jpeg(picture[..., 0], quality=quality, **options)
    if sampling not in SUBSAMPLINGS:
        return Encoder(TableSet.standard(quality, sampling)).encode(picture, Stream.INTERCHANGE)
    return pictures.pillow_jpeg(picture, quality=quality, subsampling=SUBSAMPLINGS[sampling], **options)


def levels(sampling: Sampling, height: int, width: int, quality: float = 80) -> Coefficients:
    """The levels of the JPEG that `coded` gives."""
    return Decoder().decode(coded(sampling, height, width, quality))


def assert_decodes_to(decode: Decode, jpeg: bytes, expected: Coefficients) -> None:
    """Assert that the decoder finds all levels and all steps."""
    planes, steps = decode(jpeg)
    assert steps == list(expected.quant)
    for plane, wanted in zip(planes, expected.planes, strict=True):
        np.testing.assert_array_equal(plane, wanted)


@every_sampling
@every_decoder
def test_levels_survive_coding(decode: Decode, sampling: Sampling) -> None:
    tables = TableSet.standard(80, sampling)
    expected = levels(sampling, 37, 45)
    jpeg = Encoder(tables).encode_coefficients(expected, Stream.INTERCHANGE)
    assert_decodes_to(decode, jpeg, expected)


@every_decoder
def test_one_scan_a_component_is_read_like_an_interleaved_one(decode: Decode) -> None:
    expected = levels(Sampling.YUV420, 37, 45)
    jpeg = streams.one_scan_a_component(expected, TableSet.standard(80))
    assert_decodes_to(decode, jpeg, expected)


@every_decoder
@pytest.mark.parametrize("blocks", [1, 2, 3, 7, 100])
def test_restart_markers_change_no_level(decode: Decode, blocks: int) -> None:
    expected = levels(Sampling.YUV420, 70, 66)
    jpeg = coded(Sampling.YUV420, 70, 66, restart_marker_blocks=blocks)
    assert_decodes_to(decode, jpeg, expected)


@every_decoder
@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_restart_markers_in_scans_of_one_component_change_no_level(decode: Decode, blocks: int) -> None:
    # Three grey pictures under one set of tables, one behind the other: 4:4:4, not interleaved.
    greys = [
        pictures.pillow_jpeg(pictures.natural(21, 30, seed, 1)[..., 0], quality=60, restart_marker_blocks=blocks)
        for seed in range(3)
    ]
    expected = [Decoder().decode(grey) for grey in greys]
    frame = streams.segment(0xC0, bytes([8, 0, 21, 0, 30, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]))
    prefix = streams.replace_segment(greys[0], 0xC0, frame)
    prefix = prefix[: streams.segments(prefix)[-1][1]]
    scans = [
        streams.segment(0xDA, bytes([1, identifier, 0, 0, 63, 0])) + streams.scan_of(grey)
        for identifier, grey in zip((1, 2, 3), greys, strict=True)
    ]
    planes, _ = decode(prefix + b"".join(scans) + b"\xff\xd9")
    for plane, grey in zip(planes, expected, strict=True):
        np.testing.assert_array_equal(plane, grey.planes[0])


@every_decoder
def test_extended_sequential_is_read_like_baseline(decode: Decode) -> None:
    expected = levels(Sampling.YUV420, 20, 20)
    jpeg = coded(Sampling.YUV420, 20, 20)
    assert_decodes_to(decode, jpeg.replace(b"\xff\xc0", b"\xff\xc1"), expected)


@every_decoder
def test_fill_bytes_before_markers_are_passed_over(decode: Decode) -> None:
    expected = levels(Sampling.YUV420, 20, 20)
    jpeg = coded(Sampling.YUV420, 20, 20)
    filled = jpeg[:-2] + b"\xff\xff\xff" + jpeg[-2:]
    for _, start, _ in reversed(streams.segments(jpeg)):
        filled = filled[:start] + b"\xff\xff" + filled[start:]
    assert_decodes_to(decode, filled, expected)


@every_decoder
def test_any_component_identifiers_are_read(decode: Decode) -> None:
    expected = levels(Sampling.YUV422, 30, 50)
    jpeg = bytearray(coded(Sampling.YUV422, 30, 50))
    places = {marker: start for marker, start, _ in streams.segments(bytes(jpeg))}
    for index, identifier in enumerate((200, 0, 17)):
        jpeg[places[0xC0] + 10 + 3 * index] = identifier
        jpeg[places[0xDA] + 5 + 2 * index] = identifier
    assert_decodes_to(decode, bytes(jpeg), expected)


@pytest.mark.parametrize("name", ["native", "reference"])
def test_components_may_be_scanned_in_any_order(name: str) -> None:
    # libjpeg reads it too, but jpeglib gives the planes in the order of the scans.
    expected = levels(Sampling.YUV420, 37, 45)
    jpeg = streams.one_scan_a_component(expected, TableSet.standard(80))
    first = jpeg.index(b"\xff\xda")
    scans = jpeg[first:-2].split(b"\xff\xda")[1:]
    reordered = jpeg[:first] + b"".join(b"\xff\xda" + scans[index] for index in (2, 0, 1)) + jpeg[-2:]
    assert_decodes_to(TWINS[name], reordered, expected)


@every_decoder
@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_two_or_three_quantisation_tables_are_read(decode: Decode, count: int) -> None:
    rng = np.random.default_rng(count)
    tables = [[int(step) for step in rng.integers(1, 256, 64)] for _ in range(count)]
    picture = pictures.natural(33, 40, count)
    jpeg = pictures.pillow_jpeg(picture, qtables=tables, subsampling=2)
    expected = Decoder().decode(jpeg)
    wanted = [bytes(tables[min(index, count - 1)]) for index in range(3)]
    assert list(expected.quant) == wanted
    assert_decodes_to(decode, jpeg, expected)


@every_decoder
def test_sixteen_bit_table_entries_up_to_255_are_read(decode: Decode) -> None:
    expected = levels(Sampling.GREY, 16, 16)
    jpeg = coded(Sampling.GREY, 16, 16).replace(b"\xff\xc0", b"\xff\xc1")
    entries = next(jpeg[start + 5 : end] for marker, start, end in streams.segments(jpeg) if marker == 0xDB)
    wide = streams.segment(0xDB, b"\x10" + b"".join(bytes([0, entry]) for entry in entries))
    assert_decodes_to(decode, streams.replace_segment(jpeg, 0xDB, wide), expected)


@every_decoder
def test_codes_longer_than_the_look_up_are_read(decode: Decode) -> None:
    # Counts that double from symbol to symbol ask for codes as long as they may be, 16 bits.
    counts = SymbolCounts()
    for row in counts.counts:
        row[:] = np.uint64(1) << (np.arange(256, dtype=np.uint64) % np.uint64(60))
    tables = TableSet.standard(100).with_huffman(counts.tables())
    assert all(table.counts[15] > 0 for table in tables.huffman[1::2])
    expected = Decoder().decode(pictures.pillow_jpeg(pictures.extremes(24, 24, 5), quality=100, subsampling=2))
    jpeg = Encoder(tables).encode_coefficients(expected, Stream.INTERCHANGE)
    assert_decodes_to(decode, jpeg, expected)


def test_sampling_factors_are_read_as_ratios() -> None:
    # 1 x 2 luma over 1 x 2 chroma is 4:4:4 with taller MCUs; libjpeg is the judge.
    jpeg = bytearray(
        streams.one_scan_a_component(levels(Sampling.YUV444, 30, 30), TableSet.standard(80, Sampling.YUV444))
    )
    frame = bytes(jpeg).index(b"\xff\xc0")
    for index in range(3):
        jpeg[frame + 11 + 3 * index] = 0x12
    found = Decoder().decode(bytes(jpeg))
    assert found.sampling is Sampling.YUV444
    assert_decodes_to(libjpeg, bytes(jpeg), found)


def test_a_lone_component_may_claim_any_factors() -> None:
    expected = levels(Sampling.GREY, 30, 30)
    jpeg = bytearray(coded(Sampling.GREY, 30, 30))
    jpeg[bytes(jpeg).index(b"\xff\xc0") + 11] = 0x22
    assert_decodes_to(libjpeg, bytes(jpeg), expected)
    np.testing.assert_array_equal(Decoder().decode(bytes(jpeg)).planes[0], expected.planes[0])


@every_sampling
@pytest.mark.parametrize("side", range(1, 71))
def test_every_size_decodes_to_libjpegs_levels(sampling: Sampling, side: int) -> None:
    rng = np.random.default_rng(side)
    for height, width in {(side, side), (side, int(rng.integers(1, 71))), (int(rng.integers(1, 71)), side)}:
        jpeg = coded(sampling, height, width, quality=int(rng.integers(1, 101)))
        found = Decoder().decode(jpeg)
        assert (found.height, found.width, found.sampling) == (height, width, sampling)
        assert_decodes_to(libjpeg, jpeg, found)


def test_a_photograph_from_a_camera_decodes_to_libjpegs_levels() -> None:
    jpeg = pictures.photograph_file()
    assert_decodes_to(libjpeg, jpeg, Decoder().decode(jpeg))


@pytest.mark.parametrize("sampling", [Sampling.GREY, *SUBSAMPLINGS])
@pytest.mark.parametrize("quality", [10, 50, 75, 95, 100])
def test_photographs_of_every_sampling_decode_to_libjpegs_levels(sampling: Sampling, quality: float) -> None:
    picture = pictures.photograph()[100:405, 60:409]
    options = {} if sampling is Sampling.GREY else {"subsampling": SUBSAMPLINGS[sampling]}
    picture = picture[..., 1] if sampling is Sampling.GREY else picture
    jpeg = pictures.pillow_jpeg(picture, quality=quality, optimize=quality == 75, **options)
    assert_decodes_to(libjpeg, jpeg, Decoder().decode(jpeg))


@pytest.mark.parametrize("quality", range(1, 101))
def test_every_quality_decodes_to_libjpegs_levels(quality: int) -> None:
    options = [{}, *({"subsampling": code} for code in SUBSAMPLINGS.values())]
    for index, draw in enumerate((pictures.natural, pictures.noise, pictures.extremes)):
        chosen = options[(quality + index) % 4]
        picture = draw(33, 39, quality) if chosen else draw(33, 39, quality)[..., 0]
        jpeg = pictures.pillow_jpeg(picture, quality=quality, **chosen)
        assert_decodes_to(libjpeg, jpeg, Decoder().decode(jpeg))


@every_sampling
@pytest.mark.parametrize("how", [{}, {"optimize": True}, {"restart_marker_blocks": 2}], ids=str)
def test_coding_what_was_decoded_gives_the_bytes_that_libjpeg_recodes_to(
    sampling: Sampling, how: dict[str, object]
) -> None:
    # As jpegtran does: libjpeg writes the coefficients anew, with Annex K's codes and without restart markers.
    for side in range(1, 71, 3):
        height, width = side, 71 - side
        jpeg = coded(sampling, height, width, quality=side + 29, **how)
        ours = Encoder(TableSet.standard(side + 29, sampling)).encode_coefficients(Decoder().decode(jpeg), Stream.SCAN)
        assert ours == streams.scan_of(recoded_by_libjpeg(jpeg))


def test_whatever_follows_the_end_of_image_is_left_alone() -> None:
    expected = levels(Sampling.YUV420, 20, 20)
    found = Decoder().decode(coded(Sampling.YUV420, 20, 20) + b"a phone's own data")
    np.testing.assert_array_equal(found.planes[0], expected.planes[0])


def test_an_abbreviated_frame_decodes_with_the_decoders_tables() -> None:
    tables = TableSet.standard(80)
    picture = pictures.natural(37, 45, 1)
    abbreviated = Encoder(tables).encode(picture)
    complete = Encoder(tables).encode(picture, Stream.INTERCHANGE)
    for name, plane in zip(["y", "cb", "cr"], Decoder(tables).decode(abbreviated).planes, strict=True):
        index = ("y", "cb", "cr").index(name)
        np.testing.assert_array_equal(plane, Decoder().decode(complete).planes[index], err_msg=name)


def test_an_interchange_frame_decodes_by_its_own_tables_whatever_the_decoder_has() -> None:
    jpeg = coded(Sampling.YUV444, 24, 24, quality=33)
    expected = Decoder().decode(jpeg)
    found = Decoder(TableSet.standard(90)).decode(jpeg)
    assert found.quant == expected.quant
    np.testing.assert_array_equal(found.planes[2], expected.planes[2])


def test_a_buffer_other_than_bytes_is_decoded() -> None:
    jpeg = coded(Sampling.YUV420, 20, 20)
    expected = Decoder().decode(jpeg)
    buffers: tuple[Any, ...] = bytearray(jpeg), memoryview(jpeg)
    for buffer in buffers:
        np.testing.assert_array_equal(Decoder().decode(buffer).planes[0], expected.planes[0])


def test_coefficients_are_values() -> None:
    jpeg = coded(Sampling.YUV420, 20, 20)
    found = Decoder().decode(jpeg)
    assert found == Decoder().decode(jpeg)
    planes = (found.planes[0], found.planes[1], found.planes[2] + np.int16(1))
    assert found != replace(found, planes=planes)
    assert found != replace(found, planes=found.planes[:2])
    assert found != replace(found, height=19)
    assert found != "another thing"
