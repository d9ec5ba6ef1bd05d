"""Progressive JPEG (T.81 annex G): every decoder finds the levels that went in, and a part of them is refused."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from shared.jpeg import (
    Coefficients,
    CorruptJpegError,
    CorruptScanError,
    Decoder,
    Encoder,
    JpegError,
    LimitExceededError,
    Limits,
    Sampling,
    Stream,
    TableSet,
    Transcoder,
    inspect,
)
from tests.field.readings import is_refused, readings
from tests.shared.jpeg import pictures, streams
from tests.shared.jpeg.progressive_encoder import BAND_BY_BAND, BIT_BY_BIT, Scan, encode, every
from tests.shared.jpeg.twins import TWINS, Decode, libjpeg

SUBSAMPLINGS = {Sampling.GREY: {}, Sampling.YUV444: {"subsampling": 0}, Sampling.YUV422: {"subsampling": 1},
                Sampling.YUV420: {"subsampling": 2}}  # fmt: skip
SCRIPTS = {
    "band by band": BAND_BY_BAND,
    "bit by bit": BIT_BY_BIT,
    "DC by bits, single coefficients": (
        *every(0, 0, 0, 2), Scan((0, 1, 2), 0, 0, 2, 1), Scan((2, 1), 0, 0, 1, 0), Scan((0,), 0, 0, 1, 0),
        *(scan for at in (1, 2, 5) for scan in every(at, at, 0, 0)), *every(3, 4, 0, 1), *every(6, 63, 0, 2),
        *every(3, 4, 1, 0), *every(6, 63, 2, 1), *every(6, 63, 1, 0),
    ),
}  # fmt: skip

every_decoder = pytest.mark.parametrize("decode", TWINS.values(), ids=TWINS.keys())
every_script = pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())


def levels(sampling: Sampling = Sampling.YUV420, size: tuple[int, int] = (37, 45), quality: float = 92) -> Coefficients:
    """The levels of a picture of this size."""
    encoder = Encoder(TableSet.standard(quality, sampling))
    return Decoder().decode(encoder.encode(pictures.natural(*size, 3), Stream.INTERCHANGE))


def assert_decodes_to(decode: Decode, jpeg: bytes, expected: Coefficients) -> None:
    """Assert that the decoder finds all levels and all steps."""
    planes, steps = decode(jpeg)
    assert steps == list(expected.quant)
    for plane, wanted in zip(planes, expected.planes, strict=True):
        np.testing.assert_array_equal(plane, wanted)


def scans_of(jpeg: bytes) -> list[bytes]:
    """Each scan of a stream with its header."""
    return [b"\xff\xda" + scan for scan in jpeg[:-2].split(b"\xff\xda")[1:]]


def with_scans(jpeg: bytes, scans: Sequence[bytes]) -> bytes:
    """The stream with these scans instead of its own."""
    return jpeg[: jpeg.index(b"\xff\xda")] + b"".join(scans) + jpeg[-2:]


@every_decoder
@every_script
@pytest.mark.parametrize("interval", [0, 1, 5])
@pytest.mark.parametrize("sampling", [Sampling.YUV420, Sampling.YUV422, Sampling.YUV444, Sampling.YUV411])
def test_levels_survive_any_script(decode: Decode, script: Sequence[Scan], interval: int, sampling: Sampling) -> None:
    expected = levels(sampling)
    assert_decodes_to(decode, encode(expected, script, interval), expected)


@every_decoder
def test_the_largest_levels_survive_every_bit_by_itself(decode: Decode) -> None:
    rng = np.random.default_rng(1)
    planes = [rng.integers(-1023, 1024, plane.shape).astype(np.int16) for plane in levels(size=(16, 32)).planes]
    for plane in planes:
        plane[:, 0, 0], plane[:, 0, 1] = 1023, -1023
    extreme = replace(levels(size=(16, 32)), planes=tuple(planes))
    script = [Scan((0, 1, 2), 0, 0, 0, 9), *every(1, 63, 0, 9)]
    for low in range(8, -1, -1):
        script += [Scan((0, 1, 2), 0, 0, low + 1, low), *every(1, 63, low + 1, low)]
    assert_decodes_to(decode, encode(extreme, script), extreme)


@pytest.mark.parametrize("side", range(1, 42))
@pytest.mark.parametrize("sampling", SUBSAMPLINGS)
def test_every_size_decodes_to_libjpegs_levels(sampling: Sampling, side: int) -> None:
    rng = np.random.default_rng(side)
    draw = [pictures.natural, pictures.noise, pictures.extremes, pictures.flat][side % 4]
    picture = draw(side, int(rng.integers(1, 90)), side)
    picture = picture[..., 0] if sampling is Sampling.GREY else picture
    restarts = {"restart_marker_blocks": int(rng.integers(1, 6))} if side % 3 else {}
    quality = int(rng.integers(1, 101))
    jpeg = pictures.pillow_jpeg(picture, quality=quality, progressive=True, **SUBSAMPLINGS[sampling], **restarts)
    found = Decoder().decode(jpeg)
    assert found.sampling is sampling
    assert_decodes_to(libjpeg, jpeg, found)


@pytest.mark.parametrize("sampling", SUBSAMPLINGS)
def test_a_photograph_is_on_every_way_what_it_is_as_a_baseline_file(sampling: Sampling) -> None:
    picture = pictures.photograph()[:240, :320]
    picture = picture[..., 1] if sampling is Sampling.GREY else picture
    kinds = [pictures.pillow_jpeg(picture, quality=85, progressive=p, **SUBSAMPLINGS[sampling]) for p in (True, False)]
    assert kinds[0] != kinds[1]
    np.testing.assert_array_equal(pictures.pillow_pixels(kinds[0]), pictures.pillow_pixels(kinds[1]))
    assert readings(kinds[0]) == readings(kinds[1])


def test_a_batch_of_levels_takes_progressive_frames_of_its_steps() -> None:
    tables = TableSet.standard(75)
    frame = pictures.pillow_jpeg(pictures.natural(32, 32, 1), quality=75, subsampling=2, progressive=True)
    y, c = np.ones((2, 64, 4, 4), np.int16), np.ones((2, 128, 2, 2), np.int16)
    assert Decoder(tables).decode_batch([frame] * 2, y, c) == [None, None]
    expected = Decoder().decode(frame)
    for row in range(2):
        np.testing.assert_array_equal(y[row], expected.planes[0])
        np.testing.assert_array_equal(c[row], np.concatenate(expected.planes[1:]))
    assert Transcoder(tables).transcode(frame) == Encoder(tables).encode_coefficients(expected)


def test_a_progressive_frame_between_frames_of_one_prefix_disturbs_none() -> None:
    tables = TableSet.standard(75)
    picture = pictures.natural(32, 32, 1)
    frame, progressive = (
        Encoder(tables).encode(picture),
        pictures.pillow_jpeg(picture, quality=75, subsampling=2, progressive=True),
    )
    y, c = np.ones((5, 64, 4, 4), np.int16), np.ones((5, 128, 2, 2), np.int16)
    assert Decoder(tables).decode_batch([frame, frame, progressive, frame, frame], y, c) == [None] * 5
    assert all((plane == plane[0]).all() for plane in (y, c))


@every_script
def test_a_progression_that_lacks_any_scan_is_refused(script: Sequence[Scan]) -> None:
    jpeg = encode(levels(size=(32, 32)), script)
    scans = scans_of(jpeg)
    for missing in range(len(script)):
        part = with_scans(jpeg, scans[:missing] + scans[missing + 1 :])
        for read in (Decoder().decode, inspect, Transcoder(TableSet.standard(50)).transcode):
            with pytest.raises(CorruptJpegError, match=r"no scan|not whole|come next|before the DC"):
                read(part)
    for kept in range(1, len(script)):
        assert is_refused(with_scans(jpeg, scans[:kept]))
        assert is_refused(with_scans(jpeg, scans[:kept])[:-2])


@pytest.mark.parametrize(
    ("order", "message"),
    {
        "a scan again": ([0, *range(18)], "scanned twice"),
        "a band again": ([0, 1, 2, 3, 3, *range(4, 18)], "scanned twice"),
        "a bit again": ([*range(7), 6, *range(7, 18)], "refines bits that do not come next"),
        "AC first": ([3, 0, 1, 2, *range(4, 18)], "before the DC coefficient"),
        "a lower bit first": ([*range(6), *range(10, 14), *range(6, 10), *range(14, 18)], "do not come next"),
        "a bit of what has not come": ([0, 1, 6, *range(2, 6), *range(7, 18)], "do not come next"),
    }.values(),
)
def test_what_a_scan_brings_must_come_next_and_once(order: list[int], message: str) -> None:
    jpeg = encode(levels(size=(16, 16)), BIT_BY_BIT)
    assert len(scans_of(jpeg)) == 18
    for read in (Decoder().decode, inspect):
        with pytest.raises(CorruptJpegError, match=message):
            read(with_scans(jpeg, [scans_of(jpeg)[at] for at in order]))


@pytest.mark.parametrize(
    "span",
    [
        (0, 5, 0x00),
        (0, 63, 0x00),
        (5, 4, 0x00),
        (1, 64, 0x00),
        (1, 63, 0x02 << 4),
        (0, 0, 0x31),
        (0, 0, 0x0E),
        (1, 0, 0),
    ],
)
def test_spans_that_are_none_are_refused(span: tuple[int, int, int]) -> None:
    jpeg = encode(levels(Sampling.YUV444, (16, 16)), BAND_BY_BAND)
    scan = bytes([1, 1, 0, *span]) if span[1] else bytes([3, 1, 0, 2, 0, 3, 0, *span])
    start = jpeg.index(b"\xff\xda")
    for read in (Decoder().decode, inspect):
        with pytest.raises(CorruptJpegError, match="a progressive scan of coefficients"):
            read(jpeg[:start] + streams.segment(0xDA, scan) + jpeg[start:])


def test_a_band_of_several_components_is_refused() -> None:
    jpeg = encode(levels(Sampling.YUV444, (16, 16)), BAND_BY_BAND)
    second = jpeg.index(b"\xff\xda", jpeg.index(b"\xff\xda") + 2)
    with pytest.raises(CorruptJpegError, match="a progressive scan of coefficients 1 to 63"):
        Decoder().decode(jpeg[:second] + streams.segment(0xDA, bytes([3, 1, 0, 2, 0, 3, 0, 1, 63, 0])) + jpeg[second:])


@pytest.mark.parametrize("script", [BAND_BY_BAND, BIT_BY_BIT])
def test_every_truncation_of_every_scan_is_refused(script: Sequence[Scan]) -> None:
    jpeg = encode(levels(size=(16, 32)), script)
    for length in range(jpeg.index(b"\xff\xda"), len(jpeg) - 2):
        for end in (b"", b"\xff\xd9"):
            assert is_refused(jpeg[:length] + end)


def test_every_scan_cut_short_within_the_others_is_refused() -> None:
    jpeg = encode(levels(size=(16, 32)), BIT_BY_BIT)
    scans = scans_of(jpeg)
    for at in range(len(BIT_BY_BIT)):
        with pytest.raises(CorruptScanError, match="ends inside a block"):
            Decoder().decode(with_scans(jpeg, [*scans[:at], scans[at][:-1], *scans[at + 1 :]]))


def grey_stream(*scans: tuple[tuple[int, int, int], str]) -> bytes:
    """A grey progressive stream of two blocks: of each scan Ss, Se, Ah << 4 | Al, and its bits.

    A DC size n is coded in four bits; an AC symbol, run << 4 | size, in eight.
    """
    plane = np.zeros((64, 1, 2), np.int16)
    grey = Coefficients(8, 16, Sampling.GREY, (plane,), TableSet.standard(50, Sampling.GREY).quant)
    prefix = encode(grey, ())[:-2]
    for span, bits in scans:
        padded = bits + "1" * (-len(bits) % 8)
        data = int(padded, 2).to_bytes(len(padded) // 8).replace(b"\xff", b"\xff\0")
        prefix += streams.segment(0xDA, bytes([1, 1, 0, *span])) + data
    return prefix + b"\xff\xd9"


def square(stream: bytes, side: int) -> bytes:
    """The stream with its frame header saying that height and width are `side`."""
    start = stream.index(b"\xff\xc2")
    return stream[: start + 5] + side.to_bytes(2) * 2 + stream[start + 9 :]


DC_ZEROS = ((0, 0, 0), "0000" * 2)
EOB = f"{0x00:08b}"
RUN_OF_TWO = f"{0x10:08b}0"


def test_a_stream_spelled_out_bit_by_bit_is_decoded() -> None:
    # DC 1 and 1 + 2; in the first block 5, ZRL for 16 zeros, and -1; the second block has ended before it begins.
    dc = ((0, 0, 0), "00011001010")
    ac = ((1, 63, 0), f"{0x03:08b}101" + f"{0xF0:08b}" + f"{0x01:08b}0" + RUN_OF_TWO)
    found = Decoder().decode(grey_stream(dc, ac)).planes[0]
    assert found[0].tolist() == [[1, 3]]
    assert {int(at): found[at].tolist() for at in np.flatnonzero(found.any((1, 2)))} == {
        0: [[1, 3]], 1: [[5, 0]], 26: [[-1, 0]],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("scans", "message"),
    {
        "a run of ended blocks past the last": ([DC_ZEROS, ((1, 63, 0), f"{0x10:08b}1")], "past the last block"),
        "a run past the band": ([DC_ZEROS, ((1, 5, 0), f"{0x51:08b}1" + EOB * 2)], "run goes past"),
        "ZRL past the band": ([DC_ZEROS, ((1, 15, 0), f"{0xF0:08b}" + EOB * 2)], "run goes past"),
        "an AC size of 11": ([DC_ZEROS, ((1, 63, 0), f"{0x0B:08b}" + "1" * 11 + EOB * 2)], "not in its Huffman"),
        "an AC level of 1024": ([DC_ZEROS, ((1, 63, 10), f"{0x01:08b}1" + EOB * 2)], "an AC level of 1024"),
        "a refinement of two bits": (
            [DC_ZEROS, ((1, 63, 1), RUN_OF_TWO), ((1, 63, 0x10), f"{0x02:08b}11" + EOB * 2)], "not in its Huffman",
        ),
        "a refinement past the band": (
            [DC_ZEROS, ((1, 2, 1), RUN_OF_TWO), ((1, 2, 0x10), f"{0x21:08b}1" + EOB * 2)], "run goes past",
        ),
        "a DC level of 2048": ([((0, 0, 11), "0001" "1" "0000")], "a DC level of 2048"),
        "a DC bit of 4096": ([((0, 0, 13), "00000000"), ((0, 0, 0xDC), "10")], "a DC level of 4096"),
        "a DC size that has no code": ([((0, 0, 0), "11111111")], "not in its Huffman"),
        "bytes left over": ([DC_ZEROS, ((1, 63, 0), RUN_OF_TWO + "1" * 16)], "left over"),
        "DC bytes left over": ([((0, 0, 0), "0000" * 2 + "1" * 8)], "left over"),
    }.values(),
)  # fmt: skip
def test_entropy_coded_data_that_break_the_rules_are_refused(
    scans: list[tuple[tuple[int, int, int], str]], message: str
) -> None:
    with pytest.raises(CorruptScanError, match=message):
        Decoder().decode(grey_stream(*scans))


def test_blocks_that_have_ended_take_their_corrections_from_bits_of_their_own() -> None:
    # Seven levels in the first block and one in the second. Run and seven bits fill two bytes; one bit is missing.
    one = f"{0x01:08b}1"
    first = ((1, 63, 1), one * 7 + EOB + one + EOB)
    found = Decoder().decode(grey_stream(DC_ZEROS, first, ((1, 63, 0x10), RUN_OF_TWO + "0" * 7 + "1"))).planes[0]
    assert [abs(found[:, 0, block]).sum() for block in (0, 1)] == [14, 3]
    with pytest.raises(CorruptScanError, match="ends inside a block"):
        Decoder().decode(grey_stream(DC_ZEROS, first, ((1, 63, 0x10), RUN_OF_TWO + "0" * 7)))


def test_more_blocks_than_a_run_counts_and_eight_a_byte_are_decoded() -> None:
    # A DC table whose only code is 0; the largest run has 32767 blocks.
    blocks = 40_000
    ended = f"{0xE0:08b}" + "1" * 14 + f"{0xC0:08b}" + f"{blocks - 32767 - 4096:012b}"
    stream = square(grey_stream(((0, 0, 0), "0" * blocks), ((1, 63, 0), ended)), 1600)
    start = stream.index(b"\xff\xda")
    stream = stream[:start] + streams.segment(0xC4, b"\0\1" + bytes(16)) + stream[start:]
    assert blocks > 7 * (len(stream) - stream.index(b"\xff\xda"))
    assert Decoder().decode(stream).planes[0].shape == (64, 200, 200)
    with pytest.raises(CorruptScanError, match="cannot fit"):
        Decoder().decode(stream[: start + 4900])


def test_a_run_of_ended_blocks_does_not_pass_a_restart_marker() -> None:
    stream = grey_stream(DC_ZEROS, ((1, 63, 0), RUN_OF_TWO))
    assert not Decoder().decode(stream).planes[0].any()
    frame = stream.index(b"\xff\xda")
    dc, ac = stream[frame:-2].split(b"\xff\xda")[1:]
    intervals = b"\xff\xdd\0\4\0\1\xff\xda" + dc[:-1] + b"\x0f\xff\xd0\x0f\xff\xda" + ac
    with pytest.raises(CorruptScanError, match="past the last block"):
        Decoder().decode(stream[:frame] + intervals + stream[-2:])


def test_a_table_that_a_scan_uses_must_be_defined() -> None:
    jpeg = encode(levels(size=(16, 16)), BAND_BY_BAND)
    for marker in (0xC4, 0xDB):
        for read in (Decoder().decode, Decoder(TableSet.standard(92)).decode, inspect):
            with pytest.raises(CorruptJpegError, match="does not define"):
                read(streams.without(jpeg, marker))
    with pytest.raises(CorruptJpegError, match="does not define"):
        Decoder(TableSet.standard(92)).decode(streams.without(streams.without(jpeg, 0xC4), 0xDB))


def test_steps_are_those_that_stand_before_a_components_first_scan() -> None:
    jpeg = encode(levels(size=(16, 16)), BAND_BY_BAND)
    start = jpeg.index(b"\xff\xda", jpeg.index(b"\xff\xda") + 2)
    later = jpeg[:start] + streams.segment(0xDB, b"\0" + b"\7" * 64) + jpeg[start:]
    assert Decoder().decode(later) == Decoder().decode(jpeg)
    assert inspect(later).quant == inspect(jpeg).quant


def test_scans_are_limited() -> None:
    jpeg = encode(levels(size=(16, 16)), BIT_BY_BIT)
    assert Decoder(limits=Limits(max_scans=18)).decode(jpeg) == Decoder().decode(jpeg)
    for read in (Decoder(limits=Limits(max_scans=17)).decode, lambda data: inspect(data, Limits(max_scans=17))):
        with pytest.raises(LimitExceededError) as caught:
            read(jpeg)
        assert (caught.value.name, caught.value.limit, caught.value.actual) == ("max_scans", 17, 18)


def test_more_blocks_than_the_bytes_could_hold_are_refused_before_anything_is_allocated() -> None:
    stream = square(grey_stream(DC_ZEROS, ((1, 63, 0), RUN_OF_TWO)), 4096)
    with pytest.raises(CorruptScanError, match="262144 blocks cannot fit"):
        Decoder().decode(stream)


def test_as_many_scans_as_may_be_of_the_largest_frame_take_seconds_not_minutes() -> None:
    # 2^18 blocks: each scan but the first is a few runs of ended blocks.
    blocks = 1 << 18
    dc = ((0, 0, 0), "0000" * blocks)
    ended = f"{0xE0:08b}" + "0" * 14
    scans = [((at, at, 0), ended * (blocks >> 14)) for at in range(1, 63)]
    bomb = square(grey_stream(dc, *scans, ((63, 63, 0), ended * (blocks >> 14))), 4096)
    started = time.process_time()
    assert not Decoder().decode(bomb).planes[0].any()
    assert time.process_time() - started < 5
    with pytest.raises(JpegError):
        Decoder(limits=Limits(max_scans=63)).decode(bomb)
