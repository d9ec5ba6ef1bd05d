"""Frames of real cameras mean on every way what their plain twins mean."""

import numpy as np
import pytest

from shared.jpeg import CorruptJpegError, Decoder, Encoder, Sampling, Stream, TableSet, UnknownTablesError, inspect
from tests.field import oddities
from tests.field.plain import EVERY, OTHERS, RESTARTED, STANDARD
from tests.field.readings import is_refused, readings
from tests.shared.jpeg import pictures, streams

every_file = pytest.mark.parametrize("plain", EVERY.values(), ids=EVERY.keys())
standard = pytest.mark.parametrize("plain", STANDARD.values(), ids=STANDARD.keys())
restarted = pytest.mark.parametrize("plain", RESTARTED.values(), ids=RESTARTED.keys())


@standard
@pytest.mark.parametrize("left_out", [(0, 1), (1,), (0,)], ids=["all", "AC", "DC"])
def test_tables_of_annex_k_may_be_left_out(plain: bytes, left_out: tuple[int, ...]) -> None:
    # Our encoder writes its tables in one segment: only all of them can be left out there.
    odd = oddities.without_huffman_tables(plain, left_out)
    if odd == plain:
        odd = streams.without(plain, oddities.DHT)
    assert len(odd) < len(plain)
    assert readings(odd) == readings(plain)


def test_tables_of_chroma_alone_may_be_left_out() -> None:
    plain = STANDARD["4:2:0"]
    assert readings(oddities.without_huffman_tables(plain, destinations=(1,))) == readings(plain)


def test_an_avi_segment_changes_nothing() -> None:
    plain = STANDARD["4:2:2"]
    bare = streams.without(oddities.without_huffman_tables(plain), 0xE0)
    assert readings(bare[:2] + streams.segment(0xE0, b"AVI1" + bytes(10)) + bare[2:]) == readings(plain)


def test_a_frame_without_steps_of_its_own_or_that_names_its_tables_must_not_leave_them_out() -> None:
    tables, picture = TableSet.standard(75), pictures.natural(32, 32, 1)
    abbreviated = Encoder(tables).encode(picture)
    for frame in (abbreviated, streams.without(abbreviated, 0xEA)):
        with pytest.raises(UnknownTablesError):
            Decoder().decode(frame)
    claim = next(abbreviated[s:e] for marker, s, e in streams.segments(abbreviated) if marker == 0xEA)
    steps = streams.without(Encoder(tables).encode(picture, Stream.INTERCHANGE), oddities.DHT)
    assert not is_refused(steps)
    for decode in (Decoder().decode, Decoder(tables).decode, inspect):
        with pytest.raises(CorruptJpegError, match="does not define"):
            decode(steps[:2] + claim + steps[2:])


def test_only_two_destinations_and_no_progressive_frame_have_tables_that_may_be_left_out() -> None:
    plain = oddities.without_huffman_tables(STANDARD["grey"])
    start = streams.segments(plain)[-1][1]
    elsewhere = plain[: start + 6] + b"\x22" + plain[start + 7 :]
    progressive = streams.without(pictures.pillow_jpeg(pictures.flat(16, 16, 1), progressive=True), oddities.DHT)
    for frame in (elsewhere, progressive):
        for read in (Decoder().decode, inspect):
            with pytest.raises(CorruptJpegError, match="does not define"):
                read(frame)


@pytest.mark.parametrize("name", [name for name in EVERY if "progressive" not in name])
def test_the_span_of_a_sequential_scan_may_be_unset(name: str) -> None:
    odd = oddities.unset_span(EVERY[name])
    assert odd.count(b"\0\x3f\0") < EVERY[name].count(b"\0\x3f\0")
    assert readings(odd) == readings(EVERY[name])


@every_file
@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_zeros_may_pad_entropy_coded_data_before_a_marker(plain: bytes, count: int) -> None:
    before_eoi = oddities.zeros_before_markers(plain, count, before_restarts=False)
    assert len(before_eoi) == len(plain) + count
    assert readings(before_eoi) == readings(plain)


@pytest.mark.parametrize("count", [1, 2, 7, 400])
@pytest.mark.parametrize("sampling", list(Sampling))
def test_zeros_may_pad_a_frame_whose_own_last_byte_is_zero(sampling: Sampling, count: int) -> None:
    # Without texture the codes of the last chroma blocks are 00 00 00 00; only aligned ones fill a byte.
    flat = [Encoder(TableSet.standard(75, sampling)).encode(picture, Stream.INTERCHANGE) for picture in greys(sampling)]
    ending_in_zero = [jpeg for jpeg in flat if jpeg[-3] == 0]
    assert ending_in_zero or sampling is Sampling.GREY
    for plain in ending_in_zero:
        assert readings(oddities.zeros_before_markers(plain, count)) == readings(plain)


def greys(sampling: Sampling) -> list[pictures.Pixels]:
    """Flat pictures of many greys and sizes, so that their scans end everywhere in a byte."""
    shape = (lambda *size: size) if sampling is Sampling.GREY else (lambda *size: (*size, 3))
    return [
        np.full(shape(16, 16 * columns), grey, np.uint8)
        for columns in range(1, 5)
        for grey in (0, 1, 60, 100, 128, 255)
    ]


@restarted
@pytest.mark.parametrize("count", [1, 2, 7])
def test_zeros_may_pad_every_restart_interval(plain: bytes, count: int) -> None:
    before_restarts = oddities.zeros_before_markers(plain, count, before_eoi=False)
    assert len(before_restarts) > len(plain) + count
    assert readings(before_restarts) == readings(plain)
    assert readings(oddities.zeros_before_markers(plain, count)) == readings(plain)


@restarted
def test_a_restart_marker_may_stand_behind_the_last_interval(plain: bytes) -> None:
    odd = oddities.restart_marker_behind_the_last_interval(plain)
    assert readings(odd) == readings(plain)
    filled = odd[:-4] + b"\xff\xff" + odd[-4:-2] + b"\0\0\xff" + odd[-2:]
    assert readings(filled) == readings(plain)
    assert readings(odd[:-2]) == readings(plain)


@restarted
def test_only_the_next_restart_marker_may_stand_behind_the_last_interval(plain: bytes) -> None:
    odd = oddities.restart_marker_behind_the_last_interval(plain)
    for other in (odd[:-3] + bytes([odd[-3] ^ 1]) + odd[-2:], odd[:-2] + odd[-4:]):
        assert is_refused(other)


@every_file
@pytest.mark.parametrize("count", [1, 3, 200])
def test_zeros_may_stand_between_segments(plain: bytes, count: int) -> None:
    for behind_soi in (False, True):
        odd = oddities.zeros_between_segments(plain, count, behind_soi=behind_soi)
        assert len(odd) >= len(plain) + 3 * count
        assert readings(odd) == readings(plain)


@every_file
@pytest.mark.parametrize("left", [b"", b"\xff", b"\xff\xff\xff", b"\0", b"\0\0\0\xff"])
def test_the_end_marker_may_be_missing(plain: bytes, left: bytes) -> None:
    assert readings(oddities.without_eoi(plain, left)) == readings(plain)


@every_file
def test_an_exif_segment_with_a_thumbnail_may_stand_first(plain: bytes) -> None:
    assert readings(oddities.with_exif_first(plain)) == readings(plain)


@pytest.mark.parametrize("plain", [*RESTARTED.values(), *OTHERS.values()])
def test_all_of_it_may_come_together(plain: bytes) -> None:
    odd = plain
    if plain in RESTARTED.values():
        odd = oddities.restart_marker_behind_the_last_interval(oddities.without_huffman_tables(plain))
        odd = oddities.unset_span(odd)
    odd = oddities.zeros_between_segments(oddities.zeros_before_markers(oddities.with_exif_first(odd), 3), 2)
    assert readings(oddities.without_eoi(odd)) == readings(plain)


def test_inspect_counts_what_stands_in_the_scan() -> None:
    plain = RESTARTED["each MCU"]
    odd = oddities.restart_marker_behind_the_last_interval(oddities.zeros_before_markers(plain, 3))
    zeros = 3 * (plain[streams.segments(plain)[-1][2] :].count(b"\xff") - plain.count(b"\xff\0"))
    assert inspect(odd).scan_bytes == inspect(plain).scan_bytes + zeros + 2
