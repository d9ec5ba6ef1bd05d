"""Leniency takes no damaged scan for a whole one: every block decodes from its own bits, or the frame is refused."""

from random import Random

import numpy as np
import pytest

from shared.jpeg import CorruptJpegError, CorruptScanError, Decoder, Encoder, Stream, TableSet, inspect
from tests.field import oddities
from tests.field.plain import EVERY, RESTARTED
from tests.field.readings import is_refused, refuses
from tests.shared.jpeg import pictures, streams

SMALL = {name: jpeg for name, jpeg in EVERY.items() if len(jpeg) < 3000}
every_small_file = pytest.mark.parametrize("plain", SMALL.values(), ids=SMALL.keys())


def scan_start(jpeg: bytes) -> int:
    """The offset of the first entropy-coded byte."""
    return streams.segments(jpeg)[-1][2]


@every_small_file
@pytest.mark.parametrize("end", [b"", b"\xff", b"\xff\xd9"])
def test_every_truncation_of_the_scan_is_refused_whatever_marker_is_put_behind_it(plain: bytes, end: bytes) -> None:
    for length in range(scan_start(plain), len(plain) - 2, 1 + len(plain) // 300):
        assert is_refused(plain[:length] + end), length


@every_small_file
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
def test_no_zeros_behind_a_truncation_are_taken_for_padding(plain: bytes, end: bytes) -> None:
    for length in range(scan_start(plain) + 1, len(plain) - 2, 1 + len(plain) // 30):
        assert_no_padding(plain[:length], end)


@pytest.mark.parametrize("plain", RESTARTED.values(), ids=RESTARTED.keys())
def test_no_zeros_behind_an_interval_cut_short_are_taken_for_padding(plain: bytes) -> None:
    first, marker = (plain.index(mark, scan_start(plain)) for mark in (b"\xff\xd0", b"\xff\xd1"))
    for length in range(first + 2, marker, 1 + (marker - first) // 30):
        assert_no_padding(plain[:length], plain[marker:])


def assert_no_padding(before: bytes, behind: bytes) -> None:
    """Assert that all numbers of zeros between these bytes are refused, but for two kinds.

    A number that the blocks use up, to the last byte, is a stream that an encoder could have written. So are all
    numbers where the blocks use exactly one byte of the zeros up, and padding follows.
    """
    taken = [count for count in range(64) if not refuses(Decoder().decode, before + bytes(count) + behind)]
    assert len(taken) <= 1 or (taken == list(range(1, 64)) and before[-1])


def test_zeros_are_no_padding_where_more_than_one_byte_of_them_may_be_blocks() -> None:
    # Grey without texture and with fitted tables: every block but the first is 0 0.
    greys = [pictures.pillow_jpeg(np.full((64, 64), grey, np.uint8), optimize=True) for grey in range(256)]
    flat = [jpeg for jpeg in greys if jpeg.endswith(b"\0\0\xff\xd9")]
    assert flat
    assert_padding_is_refused(flat)


def test_zeros_are_no_padding_where_a_zero_byte_before_them_has_bits_to_spare() -> None:
    # T.81 F.1.2.3 has an encoder fill the last byte with ones; here the blocks use only zeros of it.
    encoder = Encoder(TableSet.standard(75))
    greys = [encoder.encode(np.full((16, 16, 3), grey, np.uint8), Stream.INTERCHANGE) for grey in range(256)]
    spare = [jpeg[:-3] + b"\0" + jpeg[-2:] for jpeg in greys if jpeg[-3] in {1, 3, 7, 15, 31, 63, 127} and jpeg[-4]]
    assert spare
    assert_padding_is_refused(spare)


def assert_padding_is_refused(frames: list[bytes]) -> None:
    """Assert that the frames are read, and with a zero byte more are not."""
    for frame in frames:
        assert not refuses(Decoder().decode, frame)
        with pytest.raises(CorruptScanError, match="zero bytes are left over, and the last block may"):
            Decoder().decode(oddities.zeros_before_markers(frame, 1))


@pytest.mark.parametrize("plain", RESTARTED.values(), ids=RESTARTED.keys())
def test_a_lost_interval_is_refused(plain: bytes) -> None:
    first = plain.index(b"\xff\xd0", scan_start(plain))
    second = plain.index(b"\xff\xd1", scan_start(plain))
    for damaged in (plain[:first] + plain[second:], plain[:second] + plain[-2:], plain[: second + 2], plain[:second]):
        assert is_refused(damaged)


def test_a_restart_marker_and_zeros_are_refused_where_nothing_announced_them() -> None:
    plain = EVERY["4:2:0"]
    assert is_refused(plain[:-2] + b"\xff\xd0" + plain[-2:])
    assert is_refused(plain[:-2] + b"\0\1" + plain[-2:])
    start = scan_start(plain)
    assert is_refused(plain[:start] + b"\0" + plain[start:])


def test_errors_say_what_is_true_of_a_cut_frame() -> None:
    plain = EVERY["4:2:0"]
    with pytest.raises(CorruptScanError, match="the scan ends inside a block"):
        Decoder().decode(plain[:-3])
    with pytest.raises(CorruptJpegError, match="a component has no scan"):
        Decoder().decode(EVERY["a scan a component"][: EVERY["a scan a component"].rindex(b"\xff\xda")])
    for read in (Decoder().decode, inspect):
        with pytest.raises(CorruptJpegError, match=r"the data end before the end of image \(EOI\)"):
            read(plain[: streams.segments(plain)[-1][1]])
        with pytest.raises(CorruptJpegError, match="the data end inside a marker segment"):
            read(plain[: scan_start(plain) - 1])
    with pytest.raises(CorruptScanError, match="restart marker 1 is missing"):
        Decoder().decode(RESTARTED["each MCU"][: RESTARTED["each MCU"].index(b"\xff\xd1", 600)])


@every_small_file
def test_a_changed_byte_never_gives_more_than_a_frame_of_the_same_size_or_an_error(plain: bytes) -> None:
    rng = Random(1)
    for _ in range(60):
        at = rng.randrange(scan_start(plain), len(plain) - 2)
        damaged = plain[:at] + bytes([rng.randrange(256)]) + plain[at + 1 :]
        if not is_refused(damaged):
            assert inspect(damaged).height == inspect(plain).height
