"""Transcoding: levels stay where they can, and move no further than quantising again must move them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.jpeg import (
    Coefficients,
    CorruptScanError,
    Decoder,
    Encoder,
    LimitExceededError,
    Limits,
    Quantisation,
    RateDistortion,
    Sampling,
    Stream,
    SymbolCounts,
    TableSet,
    Transcoder,
    UnknownTablesError,
    UnsupportedJpegError,
)
from tests.reference.resample import brought_to_420
from tests.shared.jpeg import pictures, streams
from tests.shared.jpeg.test_decoder_resample import dequantised
from tests.shared.jpeg.twins import libjpeg

SUBSAMPLING = {
    Sampling.GREY: {},
    Sampling.YUV444: {"subsampling": 0},
    Sampling.YUV422: {"subsampling": 1},
    Sampling.YUV420: {"subsampling": 2},
}
every_sampling = pytest.mark.parametrize("sampling", SUBSAMPLING)


def from_libjpeg(sampling: Sampling, height: int, width: int, quality: int, **options: object) -> bytes:
    """A JPEG that libjpeg makes of a picture of this size."""
    picture = pictures.natural(height, width, height * 71 + width)
    picture = picture[..., 0] if sampling is Sampling.GREY else picture
    return pictures.pillow_jpeg(picture, quality=quality, **SUBSAMPLING[sampling], **options)


def transcoded(frame: bytes, tables: TableSet, **options: Any) -> Coefficients:
    """The levels of the transcoded frame."""
    return Decoder(tables).decode(Transcoder(tables, **options).transcode(frame))


def assert_equal(found: Coefficients, expected: Coefficients) -> None:
    """Assert that all levels and steps are equal."""
    assert (found.height, found.width, found.quant) == (expected.height, expected.width, expected.quant)
    for plane, wanted in zip(found.planes, expected.planes, strict=True):
        np.testing.assert_array_equal(plane, wanted)


@every_sampling
@pytest.mark.parametrize("side", [1, 8, 15, 16, 17, 33, 70])
def test_coding_anew_with_the_same_tables_gives_libjpegs_own_bytes(sampling: Sampling, side: int) -> None:
    for quality in (20, 75, 100):
        theirs = from_libjpeg(sampling, side, 71 - side, quality)
        ours = Transcoder(TableSet.standard(quality, sampling)).transcode(theirs, Stream.SCAN)
        assert ours == streams.scan_of(theirs)


@every_sampling
@pytest.mark.parametrize("how", [{"optimize": True}, {"restart_marker_blocks": 3}])
def test_other_codes_or_restart_markers_leave_the_levels_as_they_are(
    sampling: Sampling, how: dict[str, object]
) -> None:
    theirs = from_libjpeg(sampling, 50, 70, 60, **how)
    tables = TableSet.standard(60, sampling)
    assert_equal(transcoded(theirs, tables), Decoder().decode(theirs))
    plain = from_libjpeg(sampling, 50, 70, 60)
    assert Transcoder(tables).transcode(theirs, Stream.SCAN) == streams.scan_of(plain)


def test_a_photograph_with_fitted_codes_keeps_every_level_for_libjpeg_too() -> None:
    theirs = pictures.photograph_file()
    levels, counts = Decoder().decode(theirs), SymbolCounts()
    counts.add_coefficients(levels)
    standard = TableSet.standard(50, levels.sampling)
    tables = standard.with_quant(levels.quant).with_huffman(counts.tables())
    ours = Transcoder(tables).transcode(theirs, Stream.INTERCHANGE)
    for plane, wanted in zip(libjpeg(ours)[0], levels.planes, strict=True):
        np.testing.assert_array_equal(plane, wanted)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_coefficient_moves_by_at_most_half_a_new_step(data: st.DataObject) -> None:
    sampling = data.draw(st.sampled_from(Sampling))
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
    height, width = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    draw = data.draw(st.sampled_from([pictures.natural, pictures.noise, pictures.extremes]))
    largest = data.draw(st.sampled_from([4, 40, 255]))

    def some_tables() -> TableSet:
        steps = rng.integers(1, largest + 1, (sampling.components, 64), dtype=np.uint8)
        return TableSet.standard(50, sampling).with_quant([bytes(row) for row in steps])

    frame = Encoder(some_tables()).encode(draw(height, width, 1), Stream.INTERCHANGE)
    new = some_tables()
    found = transcoded(frame, new)
    planes = zip(dequantised(Decoder().decode(frame)), found.planes, new.quant, strict=True)
    for old, levels, table in planes:
        step = np.frombuffer(table, np.uint8).astype(int)[:, None, None]
        nearest = np.sign(old) * ((2 * abs(old).astype(int) + step) // (2 * step))  # halves away from zero
        dc, ac = nearest[:1].clip(-1024, 1023), nearest[1:].clip(-1023, 1023)
        np.testing.assert_array_equal(levels, np.concatenate([dc, ac]))
        is_coded = abs(old) < 1023 * step
        assert (2 * abs(levels * step - old)[is_coded] <= np.broadcast_to(step, old.shape)[is_coded]).all()


@pytest.mark.parametrize("source", [Sampling.YUV444, Sampling.YUV422, Sampling.YUV440, Sampling.YUV411])
@pytest.mark.parametrize("size", [(32, 48), (1, 1), (17, 24), (24, 40), (40, 8), (70, 69)])
def test_chroma_of_another_sampling_becomes_420_within_half_a_step(source: Sampling, size: tuple[int, int]) -> None:
    frame = Encoder(TableSet.standard(85, source)).encode(pictures.natural(*size, 7), Stream.INTERCHANGE)
    for tables in (TableSet.standard(40), TableSet.standard(40).with_quant([bytes([1] * 64)] * 3)):
        old, found = Decoder().decode(frame), transcoded(frame, tables)
        assert (found.height, found.width, found.sampling) == (*size, Sampling.YUV420)
        for component in (1, 2):
            exact = brought_to_420(dequantised(old)[component], source, found.planes[component].shape[2])
            error = abs(dequantised(found)[component] - exact)
            step = np.frombuffer(tables.quant[component], np.uint8)[:, None, None]
            assert (error <= step / 2 + 1e-3).all()


def test_equal_steps_do_not_shield_levels_from_a_mask_or_from_what_bits_are_worth() -> None:
    frame, tables = from_libjpeg(Sampling.YUV420, 48, 48, 75), TableSet.standard(75)
    plain = transcoded(frame, tables)
    mask = np.zeros(64, bool)
    mask[[0, 9]] = True
    masked = transcoded(frame, tables, quantisation=Quantisation(mask=mask))
    assert plain.planes[0][mask].any()
    assert not masked.planes[0][mask].any()
    np.testing.assert_array_equal(masked.planes[0][~mask], plain.planes[0][~mask])
    thrifty = Transcoder(tables, quantisation=Quantisation(rdo=RateDistortion(1000.0))).transcode(frame)
    assert len(thrifty) < len(Transcoder(tables).transcode(frame))
    wide = transcoded(frame, tables, quantisation=Quantisation(rounding=0.1))
    np.testing.assert_array_equal(wide.planes[0], plain.planes[0])


def test_grey_becomes_420_without_colour_and_colour_becomes_grey() -> None:
    grey = from_libjpeg(Sampling.GREY, 41, 50, 80)
    found = transcoded(grey, TableSet.standard(80))
    np.testing.assert_array_equal(found.planes[0], Decoder().decode(grey).planes[0])
    assert [plane.shape for plane in found.planes[1:]] == [(64, 3, 4)] * 2
    assert not found.planes[1].any()
    assert not found.planes[2].any()
    colour = from_libjpeg(Sampling.YUV420, 41, 50, 80)
    back = transcoded(colour, TableSet.standard(80, Sampling.GREY))
    np.testing.assert_array_equal(back.planes[0], Decoder().decode(colour).planes[0])


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (Sampling.YUV420, Sampling.YUV444),
        (Sampling.YUV420, Sampling.YUV422),
        (Sampling.YUV444, Sampling.YUV422),
        (Sampling.YUV444, Sampling.YUV440),
        (Sampling.YUV422, Sampling.YUV411),
        (Sampling.GREY, Sampling.YUV444),
    ],
)
def test_chroma_is_never_made_finer(source: Sampling, target: Sampling) -> None:
    with pytest.raises(UnsupportedJpegError, match="cannot be brought to"):
        Transcoder(TableSet.standard(75, target)).transcode(from_libjpeg(source, 32, 32, 75))


def test_abbreviated_frames_are_read_with_their_tables() -> None:
    old, new = TableSet.standard(90), TableSet.standard(30)
    frame = Encoder(old).encode(pictures.natural(32, 32, 1))
    whole = Encoder(old).encode(pictures.natural(32, 32, 1), Stream.INTERCHANGE)
    assert Transcoder(new, source=old).transcode(frame) == Transcoder(new).transcode(whole)
    with pytest.raises(UnknownTablesError):
        Transcoder(new).transcode(frame)


def test_damaged_or_too_large_frames_are_refused() -> None:
    frame = from_libjpeg(Sampling.YUV420, 64, 64, 75)
    transcoder = Transcoder(TableSet.standard(75), limits=Limits(max_pixels=64 * 64))
    with pytest.raises(CorruptScanError):
        transcoder.transcode(frame[:-30] + b"\xff\xd9")
    with pytest.raises(UnsupportedJpegError, match="arithmetic"):
        transcoder.transcode(frame.replace(b"\xff\xc0", b"\xff\xc9"))
    with pytest.raises(LimitExceededError):
        transcoder.transcode(from_libjpeg(Sampling.YUV420, 65, 64, 75))


def test_dc_levels_that_no_picture_has_end_where_the_codes_end() -> None:
    # Two differences of 1000 in a row; T.81 table K.3 codes size 10 as 11111110, an end of block as 1010.
    tables = TableSet.standard(50, Sampling.GREY)
    block = "11111110" + f"{1000:010b}" + "1010"
    bits = (2 * block).ljust(48, "1")
    scan = bytes(int(bits[start : start + 8], 2) for start in range(0, 48, 8)).replace(b"\xff", b"\xff\0")
    flat = Encoder(tables).encode(np.full((8, 16), 128, np.uint8), Stream.INTERCHANGE)
    frame = flat[: streams.segments(flat)[-1][2]] + scan + b"\xff\xd9"
    assert Decoder().decode(frame).planes[0][0].tolist() == [[1000, 2000]]
    assert transcoded(frame, tables).planes[0][0].tolist() == [[1000, 1023]]


@pytest.mark.parametrize("step", [1, 255])
def test_coefficients_that_no_picture_has_end_where_the_codes_end(step: int) -> None:
    tables = TableSet.standard(50, Sampling.GREY).with_quant([bytes([step] * 64)])
    plane = np.zeros((64, 1, 2), np.int16)
    plane[:, 0, 0], plane[:, 0, 1] = 1023, -1023
    levels = Coefficients(8, 16, Sampling.GREY, (plane,), tables.quant)
    frame = Encoder(tables).encode_coefficients(levels, Stream.INTERCHANGE)
    fine = TableSet.standard(50, Sampling.GREY).with_quant([bytes([1, 2] * 32)])
    found = transcoded(frame, fine).planes[0]
    np.testing.assert_array_equal(found[2::2], plane[2::2])
    assert transcoded(frame, tables).planes[0].tolist() == plane.tolist()
