"""How a picture must be turned, by one rule for streams and for blocks of picture files."""

import struct
from random import Random

import numpy as np
import pytest

from shared.jpeg import Encoder, Stream, TableSet, exif_orientation, inspect
from tests.shared.jpeg import exif, pictures

JPEG = Encoder(TableSet.standard(60)).encode(pictures.natural(24, 16, 1), Stream.INTERCHANGE)
ORIENTATIONS = range(1, 9)


def entry(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHLL", tag, kind, count, value)


@pytest.mark.parametrize("big_endian", [False, True], ids=["II", "MM"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_what_pillow_writes_is_read_of_the_block_and_of_the_stream(orientation: int, big_endian: bool) -> None:
    block = exif.written_by_pillow(orientation, big_endian=big_endian, x010F="a maker", x0132="2020:01:01 00:00:00")
    assert exif_orientation(block) == orientation
    assert exif_orientation(block.removeprefix(exif.PREFIX)) == orientation
    assert inspect(exif.with_exif(JPEG, block.removeprefix(exif.PREFIX))).orientation == orientation


@pytest.mark.parametrize("kind", ["png", "webp", "jpeg"])
def test_the_block_that_pillow_hands_out_of_a_picture_file_is_read(kind: str) -> None:
    assert exif_orientation(exif.kept_by_pillow(exif.written_by_pillow(6), kind)) == 6


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [exif.BYTE, exif.SHORT, exif.LONG])
@pytest.mark.parametrize("offset", [8, 9, 200])
def test_a_small_whole_number_of_any_type_counts(order: str, kind: int, offset: int) -> None:
    assert exif_orientation(exif.block(8, order=order, kind=kind, offset=offset)) == 8


@pytest.mark.parametrize("value", [0, 9, 255])
@pytest.mark.parametrize("kind", [exif.BYTE, exif.SHORT, exif.LONG])
def test_numbers_that_are_no_orientation_turn_nothing(value: int, kind: int) -> None:
    assert exif_orientation(exif.block(value, kind=kind)) == 1


@pytest.mark.parametrize("kind", [0, exif.ASCII, exif.RATIONAL, exif.SSHORT, 12, 13, 0xFFFF])
def test_other_types_turn_nothing(kind: int) -> None:
    assert exif_orientation(exif.block(6, kind=kind)) == 1


@pytest.mark.parametrize("count", [0, 2, 0xFFFFFFFF])
def test_several_numbers_or_none_turn_nothing(count: int) -> None:
    assert exif_orientation(exif.block(6, count=count)) == 1


def test_entries_of_odd_types_beside_it_change_nothing() -> None:
    before = entry(0x0100, 99, 0xFFFFFFFF, 0xFFFFFFFF)
    date_as_rational = entry(0x0132, exif.RATIONAL, 1, 8)
    entries = before, entry(exif.ORIENTATION, exif.SHORT, 1, 3), date_as_rational
    assert exif_orientation(exif.start() + exif.directory("<", *entries)) == 3


def test_the_first_of_two_counts() -> None:
    entries = [entry(exif.ORIENTATION, exif.SHORT, 1, value) for value in (3, 6)]
    assert exif_orientation(exif.start() + exif.directory("<", *entries)) == 3


def test_a_directory_that_says_more_entries_than_it_has_still_tells_those_that_are_there() -> None:
    whole = exif.start() + exif.directory("<", entry(exif.ORIENTATION, exif.SHORT, 1, 5))
    assert exif_orientation(whole[:8] + b"\xff\xff" + whole[10:]) == 5


def test_only_the_first_directory_counts() -> None:
    first = struct.pack("<H", 1) + entry(0x0100, exif.SHORT, 1, 7) + struct.pack("<L", 26)
    second = exif.directory("<", entry(exif.ORIENTATION, exif.SHORT, 1, 6))
    assert exif_orientation(exif.start() + first + second) == 1


@pytest.mark.parametrize(
    "block",
    [
        b"",
        exif.PREFIX,
        b"II",
        b"II*\0",
        exif.start(),
        exif.start(offset=8)[:7],
        exif.start() + b"\1",
        b"II*\0\xff\xff\xff\xff",
        b"II*\0\0\0\0\0",
        b"XX" + exif.block(6)[2:],
        b"II+\0" + exif.block(6)[4:],
        b"MM" + exif.block(6)[2:],
        exif.PREFIX * 2 + exif.block(6),
    ],
)
def test_a_damaged_block_turns_nothing(block: bytes) -> None:
    assert exif_orientation(block) == 1
    assert inspect(exif.with_exif(JPEG, block)).orientation == 1


def test_a_block_cut_anywhere_is_no_error() -> None:
    block = exif.written_by_pillow(6, x010F="a maker")
    found = [exif_orientation(block[:length]) for length in range(len(block) + 1)]
    assert set(found) == {1, 6}
    assert found == sorted(found)


def test_no_bytes_are_an_error() -> None:
    rng, block = Random(1), bytearray(exif.block(6))
    for _ in range(20_000):
        damaged = block.copy()
        for _ in range(rng.randint(1, 6)):
            damaged[rng.randrange(len(damaged))] = rng.choice((0, 1, 8, 0x12, 0x7F, 0xFF, rng.randrange(256)))
        assert exif_orientation(bytes(damaged)) in ORIENTATIONS


def test_a_buffer_is_read_like_bytes() -> None:
    assert exif_orientation(memoryview(np.frombuffer(exif.block(6), np.uint8))) == 6  # type: ignore[arg-type]


def test_a_frame_without_exif_stands_as_it_is() -> None:
    assert inspect(JPEG).orientation == 1


def test_of_several_exif_segments_the_first_counts() -> None:
    twice = exif.with_exif(exif.with_exif(JPEG, exif.block(6)), exif.block(3))
    assert inspect(twice).orientation == 3


def test_another_app1_segment_before_it_is_not_exif() -> None:
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x/>"
    turned = exif.with_exif(JPEG, exif.block(6))
    assert inspect(turned[:2] + b"\xff\xe1" + (len(xmp) + 2).to_bytes(2) + xmp + turned[2:]).orientation == 6


def test_exif_behind_the_scan_comes_too_late() -> None:
    body = exif.PREFIX + exif.block(6)
    late = JPEG[:-2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body + JPEG[-2:]
    assert inspect(late).orientation == 1
