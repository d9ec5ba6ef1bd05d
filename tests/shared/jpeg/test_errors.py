"""Bad input: each kind ends in its own documented error, with its problem code."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shared.errors import PeerError
from shared.jpeg import (
    EOI,
    ContainedFaultError,
    CorruptJpegError,
    CorruptScanError,
    Decoder,
    Encoder,
    InvalidTablesError,
    JpegError,
    LimitExceededError,
    Limits,
    NotAJpegError,
    Sampling,
    Stream,
    TableSet,
    UnknownTablesError,
    UnsupportedJpegError,
    inspect,
)
from tests.shared.jpeg import pictures, streams

TABLES = TableSet.standard(75)
PICTURE = pictures.natural(40, 40, 1)
JPEG = Encoder(TABLES).encode(PICTURE, Stream.INTERCHANGE)
ABBREVIATED = Encoder(TABLES).encode(PICTURE)


def frame_body(**changes: int) -> bytes:
    """An SOF0 segment for JPEG with some bytes of its body changed."""
    start, end = next((s, e) for m, s, e in streams.segments(JPEG) if m == 0xC0)
    body = bytearray(JPEG[start + 4 : end])
    for place, value in changes.items():
        body[int(place[1:])] = value
    return streams.segment(0xC0, bytes(body))


def with_frame(**changes: int) -> bytes:
    """JPEG with its frame header changed."""
    return streams.replace_segment(JPEG, 0xC0, frame_body(**changes))


def before_frame(extra: bytes) -> bytes:
    """JPEG with bytes put in before its frame header."""
    start = next(s for m, s, _ in streams.segments(JPEG) if m == 0xC0)
    return JPEG[:start] + extra + JPEG[start:]


def with_scan_header(body: bytes) -> bytes:
    """JPEG with another scan header."""
    return streams.replace_segment(JPEG, 0xDA, streams.segment(0xDA, body))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotAJpegError, "not-a-jpeg"),
        (UnsupportedJpegError, "unsupported-jpeg"),
        (CorruptJpegError, "corrupt-jpeg"),
        (CorruptScanError, "corrupt-jpeg"),
        (LimitExceededError, "over-limit"),
        (UnknownTablesError, "unknown-tables"),
        (InvalidTablesError, "invalid-tables"),
    ],
)
def test_every_error_is_the_peers_and_has_its_code(error: type[PeerError], code: str) -> None:
    assert issubclass(error, JpegError)
    assert issubclass(error, PeerError)
    assert error.code == code


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff\xd8", b"GIF89a" + bytes(99), b"\x89PNG\r\n", b"\xff\xd8\0"])
def test_what_does_not_begin_like_a_jpeg_is_not_a_jpeg(data: bytes) -> None:
    for read in (Decoder().decode, inspect):
        with pytest.raises(NotAJpegError):
            read(data)


@pytest.mark.parametrize(
    ("marker", "name"),
    [(0xC3, "lossless"), (0xC5, "hierarchical"), (0xC9, "arithmetic"), (0xCA, "arithmetic"), (0xCB, "arithmetic"),
     (0xCD, "hierarchical"), (0xC8, "extensions")],
)  # fmt: skip
def test_other_processes_are_named_and_refused(marker: int, name: str) -> None:
    with pytest.raises(UnsupportedJpegError, match=name):
        Decoder().decode(JPEG.replace(b"\xff\xc0", bytes([0xFF, marker])))


def test_arithmetic_conditioning_is_refused() -> None:
    with pytest.raises(UnsupportedJpegError, match="arithmetic"):
        Decoder().decode(before_frame(streams.segment(0xCC, b"\0\0")))


def test_twelve_bits_a_sample_are_refused() -> None:
    with pytest.raises(UnsupportedJpegError, match="12 bits"):
        Decoder().decode(with_frame(_0=12))


def test_a_height_given_late_is_refused() -> None:
    with pytest.raises(UnsupportedJpegError, match="DNL"):
        Decoder().decode(with_frame(_1=0, _2=0))
    with pytest.raises(UnsupportedJpegError, match="DNL"):
        Decoder().decode(JPEG[:-2] + streams.segment(0xDC, b"\0\x28") + JPEG[-2:])


@pytest.mark.parametrize("factors", [0x42, 0x14, 0x44, 0x31])
def test_other_samplings_are_refused(factors: int) -> None:
    with pytest.raises(JpegError):
        Decoder().decode(with_frame(_7=factors))
    with pytest.raises(UnsupportedJpegError, match="sampling"):
        Decoder().decode(with_frame(_7=0x31))


def test_chroma_of_different_sampling_is_refused() -> None:
    with pytest.raises(UnsupportedJpegError, match="different sampling"):
        Decoder().decode(with_frame(_13=0x21))


def test_cmyk_is_refused() -> None:
    out = io.BytesIO()
    Image.fromarray(PICTURE).convert("CMYK").save(out, "jpeg")
    with pytest.raises(UnsupportedJpegError, match="4 components"):
        Decoder().decode(out.getvalue())


def test_rgb_components_are_refused() -> None:
    adobe = streams.segment(0xEE, b"Adobe\0\x64\0\0\0\0\0")
    bare = streams.without(JPEG, 0xE0)
    with pytest.raises(UnsupportedJpegError, match="RGB"):
        Decoder().decode(bare[:2] + adobe + bare[2:])
    named = streams.replace_segment(bare, 0xC0, frame_body(_6=ord("R"), _9=ord("G"), _12=ord("B")))
    scan = streams.segment(0xDA, b"\3R\0G\x11B\x11\0\x3f\0")
    with pytest.raises(UnsupportedJpegError, match="RGB"):
        Decoder().decode(streams.replace_segment(named, 0xDA, scan))


def test_pillows_rgb_jpeg_is_refused() -> None:
    with pytest.raises(UnsupportedJpegError, match="RGB"):
        Decoder().decode(pictures.pillow_jpeg(PICTURE, keep_rgb=True))


def test_quantisation_steps_above_255_are_refused() -> None:
    wide = streams.segment(0xDB, b"\x10" + b"\1\0" * 64)
    with pytest.raises(UnsupportedJpegError, match="255"):
        Decoder().decode(before_frame(wide))


def test_every_truncation_is_refused_but_the_loss_of_eoi_alone() -> None:
    for jpeg, decoder in ((JPEG, Decoder()), (ABBREVIATED, Decoder(TABLES))):
        for length in range(3, len(jpeg) - 2):
            with pytest.raises(CorruptJpegError):
                decoder.decode(jpeg[:length])
        for length in (len(jpeg) - 2, len(jpeg) - 1):
            assert decoder.decode(jpeg[:length]) == decoder.decode(jpeg)


def test_inspect_refuses_every_truncation_before_the_scan_and_cannot_tell_later_ones() -> None:
    for jpeg in (JPEG, ABBREVIATED):
        start = streams.segments(jpeg)[-1][2]
        for length in range(3, start):
            with pytest.raises(CorruptJpegError):
                inspect(jpeg[:length])
        assert inspect(jpeg[: start + 100]).scan_bytes == 100


def test_every_truncation_with_an_end_marker_is_refused() -> None:
    start = streams.segments(JPEG)[-1][2]
    for length in range(start, len(JPEG) - 2):
        with pytest.raises(CorruptScanError, match=r"ends inside a block|cannot fit"):
            Decoder().decode(JPEG[:length] + b"\xff\xd9")


def test_bytes_left_over_after_the_last_block_are_refused() -> None:
    for extra in (b"\1", b"hello", b"\xff\0", b"\0\0\1", b"\0\xff\0"):
        with pytest.raises(CorruptScanError, match="left over"):
            Decoder().decode(JPEG[:-2] + extra + JPEG[-2:])


def test_a_missing_restart_marker_is_refused() -> None:
    jpeg = pictures.pillow_jpeg(PICTURE, restart_marker_blocks=2)
    with pytest.raises(CorruptScanError, match="restart marker 0"):
        Decoder().decode(jpeg.replace(b"\xff\xd0", b"\xff\xd1"))
    with pytest.raises(CorruptScanError):
        Decoder().decode(jpeg.replace(b"\xff\xd0", b""))


def test_a_restart_marker_that_was_not_announced_is_refused() -> None:
    with pytest.raises(CorruptJpegError):
        Decoder().decode(JPEG[:-2] + b"\xff\xd0" + JPEG[-2:])


def test_a_code_that_is_in_no_table_is_refused() -> None:
    with pytest.raises(CorruptScanError, match="not in its Huffman table"):
        Decoder().decode(JPEG[: streams.segments(JPEG)[-1][2]] + b"\xff\0" * 40 + b"\xff\xd9")


def test_a_run_past_the_end_of_its_block_is_refused() -> None:
    # DC size 0 is 00, ZRL is 11111111001 in the standard luma table: five of them are 80 zeros.
    bits = "00" + "11111111001" * 5 + "1" * 7
    scan = int(bits, 2).to_bytes(len(bits) // 8).replace(b"\xff", b"\xff\0")
    grey = Encoder(TableSet.standard(75, Sampling.GREY)).encode(PICTURE[:8, :8], Stream.INTERCHANGE)
    with pytest.raises(CorruptScanError, match="run goes past"):
        Decoder().decode(grey[: streams.segments(grey)[-1][2]] + scan + b"\xff\xd9")


def test_a_dc_level_outside_11_bits_is_refused() -> None:
    # DC size 11 is 111111110 and all-one bits add 2047; the block ends with 1010.
    bits = ("111111110" + "1" * 11 + "1010") * 2
    scan = int(bits, 2).to_bytes(len(bits) // 8).replace(b"\xff", b"\xff\0")
    grey = Encoder(TableSet.standard(75, Sampling.GREY)).encode(PICTURE[:8, :16], Stream.INTERCHANGE)
    with pytest.raises(CorruptScanError, match="DC level of 4094"):
        Decoder().decode(grey[: streams.segments(grey)[-1][2]] + scan + b"\xff\xd9")


@pytest.mark.parametrize("left", [1, 2, 40])
def test_bytes_left_over_where_the_last_block_fills_its_byte_are_refused(left: int) -> None:
    # Four grey blocks of 6 bits, DC size 0 (00) and the end of the block (1010), end where a byte ends.
    scan = int("001010" * 4, 2).to_bytes(3)
    grey = Encoder(TableSet.standard(75, Sampling.GREY)).encode(PICTURE[:8, :32], Stream.INTERCHANGE)
    whole = grey[: streams.segments(grey)[-1][2]] + scan
    assert not Decoder().decode(whole + EOI).planes[0].any()
    with pytest.raises(CorruptScanError, match="left over after the last block"):
        Decoder().decode(whole + b"\x55" * left + EOI)


def test_an_interchange_frame_without_its_steps_is_refused() -> None:
    jpeg = streams.without(JPEG, 0xDB)
    for read in (Decoder().decode, Decoder(TABLES).decode, inspect):
        with pytest.raises(CorruptJpegError, match="does not define"):
            read(jpeg)


def test_an_abbreviated_frame_without_tables_is_refused_and_names_them() -> None:
    with pytest.raises(UnknownTablesError, match=TABLES.tables_id) as caught:
        Decoder().decode(ABBREVIATED)
    assert caught.value.tables_id == TABLES.tables_id


def test_an_abbreviated_frame_of_other_tables_is_refused_and_names_them() -> None:
    with pytest.raises(UnknownTablesError) as caught:
        Decoder(TableSet.standard(74)).decode(ABBREVIATED)
    assert caught.value.tables_id == TABLES.tables_id


def test_an_abbreviated_frame_that_names_no_tables_takes_the_decoders() -> None:
    found = Decoder(TABLES).decode(streams.without(ABBREVIATED, 0xEA))
    np.testing.assert_array_equal(found.planes[0], Decoder().decode(JPEG).planes[0])
    with pytest.raises(UnknownTablesError) as caught:
        Decoder().decode(streams.without(ABBREVIATED, 0xEA))
    assert caught.value.tables_id is None


def test_an_abbreviated_frame_of_another_sampling_is_refused() -> None:
    grey = Encoder(TableSet.standard(75, Sampling.GREY)).encode(PICTURE)
    with pytest.raises(UnknownTablesError, match="sampling"):
        Decoder(TABLES).decode(streams.without(grey, 0xEA))


@pytest.mark.parametrize(
    "jpeg",
    [
        with_frame(_5=2),
        with_frame(_5=3, _8=4),
        with_frame(_7=0x02),
        with_frame(_7=0x25),
        with_frame(_3=0, _4=0),
        with_frame(_9=1),
        before_frame(frame_body()),
        before_frame(b"\xff\xd8"),
        before_frame(b"\xff\xd3"),
        before_frame(b"garbage"),
        before_frame(b"\xff\xfe\0\1"),
        before_frame(b"\xff\x01"),
        before_frame(streams.segment(0xDD, b"\0")),
        before_frame(streams.segment(0xDB, b"\0" + bytes(64))),
        before_frame(streams.segment(0xDB, b"\0\1\2")),
        before_frame(streams.segment(0xDB, b"\4" + b"\1" * 64)),
        before_frame(streams.segment(0xDB, b"\x20" + b"\1" * 64)),
        before_frame(streams.segment(0xC4, b"\0\1\2")),
        before_frame(streams.segment(0xC4, b"\0\3" + bytes(15) + b"\0\1\2")),
        before_frame(streams.segment(0xC4, b"\0\1\2" + bytes(14) + b"\0\1\2")),
        before_frame(streams.segment(0xC4, b"\4\1" + bytes(15) + b"\0")),
        before_frame(streams.segment(0xDA, b"\1\1\0\0\x3f\0")),
        streams.without(JPEG, 0xC0),
        streams.without(JPEG, 0xDA),
        with_scan_header(b"\3\1\0\2\x11\3\x11\0\x3f\1"),
        with_scan_header(b"\3\1\0\2\x11\3\x11\1\x3f\0"),
        with_scan_header(b"\3\1\0\2\x11\3\x11\0\x3e\0"),
        with_scan_header(b"\3\1\0\2\x11\4\x11\0\x3f\0"),
        with_scan_header(b"\3\1\0\2\x11\2\x11\0\x3f\0"),
        with_scan_header(b"\3\1\4\2\x11\3\x11\0\x3f\0"),
        with_scan_header(b"\0\0\x3f\0"),
        with_scan_header(b"\3\1\0\2\x11\3\x11\0\x3f"),
        with_scan_header(b"\3\1\0\2\x11\3\x11\0\1\0"),
        with_scan_header(b"\3\1\0\2\x11\3\x11\0\0\1"),
    ],
)
def test_a_segment_that_breaks_the_rules_is_refused(jpeg: bytes) -> None:
    with pytest.raises((CorruptJpegError, UnsupportedJpegError)) as caught:
        Decoder().decode(jpeg)
    assert not isinstance(caught.value, ContainedFaultError)


def test_a_component_named_twice_is_refused() -> None:
    with pytest.raises(CorruptJpegError, match="component 1 is malformed or named twice"):
        Decoder().decode(with_frame(_9=1))


@pytest.mark.parametrize(("slot", "symbol"), [(0x00, 12), (0x10, 0x0B), (0x10, 0x10), (0x10, 0xE0)])
def test_a_symbol_that_8_bit_jpeg_does_not_have_is_refused_where_it_is_used(slot: int, symbol: int) -> None:
    # The only code of the table, 0, stands for it; the other table is as it was.
    grey = Encoder(TableSet.standard(75, Sampling.GREY)).encode(PICTURE[:8, :8], Stream.INTERCHANGE)
    table = streams.segment(0xC4, bytes([slot, 1]) + bytes(15) + bytes([symbol]))
    start = streams.segments(grey)[-1][1]
    with pytest.raises(CorruptScanError, match="not in its Huffman table"):
        Decoder().decode(grey[:start] + table + grey[start : streams.segments(grey)[-1][2]] + bytes(40) + b"\xff\xd9")


def test_a_component_without_a_scan_is_refused() -> None:
    levels = Decoder().decode(JPEG)
    jpeg = streams.one_scan_a_component(levels, TABLES)
    last = jpeg.rindex(b"\xff\xda")
    for read in (Decoder().decode, inspect):
        with pytest.raises(CorruptJpegError, match="no scan"):
            read(jpeg[:last] + b"\xff\xd9")


def test_a_component_scanned_twice_is_refused() -> None:
    levels = Decoder().decode(JPEG)
    jpeg = streams.one_scan_a_component(levels, TABLES)
    first, second = [i for i in range(len(jpeg)) if jpeg[i : i + 2] == b"\xff\xda"][:2]
    twice = jpeg[:second] + jpeg[first:]
    for read in (Decoder(limits=Limits(max_scans=9)).decode, lambda data: inspect(data, Limits(max_scans=9))):
        with pytest.raises(CorruptJpegError, match="twice"):
            read(twice)


@pytest.mark.parametrize("read", [Decoder().decode, inspect, TableSet.from_stream])
def test_no_byte_behind_the_given_ones_is_read(read: Callable[[bytes], object]) -> None:
    class Boastful(bytes):
        def __len__(self) -> int:
            return 1 << 40

    boastful: tuple[Any, ...] = Boastful(b"\xff\xd8\xff"), np.empty((1 << 40, 0), np.uint8)
    for data in boastful:
        with pytest.raises(JpegError, match=r"the data end|does not begin"):
            read(data)


@pytest.mark.parametrize("kind", [bytearray, memoryview, lambda data: memoryview(data).cast("H")])
def test_other_buffers_are_read_as_the_bytes_they_hold(kind: Callable[[bytes], Any]) -> None:
    jpeg = JPEG if len(JPEG) % 2 == 0 else JPEG + b"\0"
    np.testing.assert_array_equal(Decoder().decode(kind(jpeg)).planes[0], Decoder().decode(JPEG).planes[0])
    assert inspect(kind(jpeg)) == inspect(JPEG)


def test_messages_say_where() -> None:
    with pytest.raises(CorruptJpegError, match=rf"byte {len(JPEG) - 3}: the scan ends inside a block"):
        Decoder().decode(JPEG[:-3])
    with pytest.raises(CorruptJpegError, match="byte 20: the data end before the end of image"):
        Decoder().decode(JPEG[:20])
