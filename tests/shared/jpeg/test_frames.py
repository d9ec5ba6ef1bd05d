"""What markers say, without decoding anything."""

import pytest

from shared.jpeg import Encoder, Sampling, Stream, TableSet, inspect
from tests.shared.jpeg import pictures, streams

PICTURE = pictures.natural(37, 45, 1)


@pytest.mark.parametrize("sampling", list(Sampling))
def test_an_interchange_frame_tells_its_size_and_steps(sampling: Sampling) -> None:
    tables = TableSet.standard(60, sampling)
    picture = PICTURE[..., 0] if sampling is Sampling.GREY else PICTURE
    info = inspect(Encoder(tables).encode(picture, Stream.INTERCHANGE))
    assert (info.height, info.width, info.sampling) == (37, 45, sampling)
    assert info.stream is Stream.INTERCHANGE
    assert info.quant == tables.quant
    assert info.quant_id == tables.quant_id
    assert info.tables_id is None


@pytest.mark.parametrize("sampling", list(Sampling))
def test_an_abbreviated_frame_tells_the_tables_it_claims(sampling: Sampling) -> None:
    tables = TableSet.standard(60, sampling)
    info = inspect(Encoder(tables).encode(PICTURE[..., 0] if sampling is Sampling.GREY else PICTURE))
    assert (info.height, info.width, info.sampling) == (37, 45, sampling)
    assert info.stream is Stream.ABBREVIATED
    assert info.tables_id == tables.tables_id
    assert info.quant is None
    assert info.quant_id is None


def test_the_quant_id_of_an_ordinary_jpeg_is_that_of_its_tables() -> None:
    jpeg = pictures.pillow_jpeg(PICTURE, quality=60, subsampling=2, optimize=True)
    assert inspect(jpeg).quant_id == TableSet.standard(60).quant_id


def test_a_false_claim_does_not_change_the_computed_identity() -> None:
    jpeg = Encoder(TableSet.standard(60)).encode(PICTURE, Stream.INTERCHANGE)
    claiming = jpeg[:2] + streams.segment(0xEA, b"DW" + bytes(8)) + jpeg[2:]
    info = inspect(claiming)
    assert info.tables_id == "00" * 8
    assert info.quant_id == TableSet.standard(60).quant_id


@pytest.mark.parametrize("body", [b"", b"D", b"DW", b"DW" + bytes(7), b"DW" + bytes(9), b"XY" + bytes(8)])
def test_other_app10_segments_claim_nothing(body: bytes) -> None:
    jpeg = Encoder(TableSet.standard(60)).encode(PICTURE, Stream.INTERCHANGE)
    assert inspect(jpeg[:2] + streams.segment(0xEA, body) + jpeg[2:]).tables_id is None


def test_scan_bytes_are_the_entropy_coded_bytes() -> None:
    tables = TableSet.standard(60)
    scan = Encoder(tables).encode(PICTURE, Stream.SCAN)
    assert inspect(Encoder(tables).encode(PICTURE)).scan_bytes == len(scan)
    restarts = pictures.pillow_jpeg(PICTURE, quality=60, subsampling=2, restart_marker_blocks=1)
    assert inspect(restarts).scan_bytes == len(streams.scan_of(restarts))


def test_fill_bytes_before_the_end_are_not_scan_bytes() -> None:
    frame = Encoder(TableSet.standard(60)).encode(PICTURE)
    filled = frame[:-2] + b"\xff\xff" + frame[-2:]
    assert inspect(filled).scan_bytes == inspect(frame).scan_bytes


@pytest.mark.parametrize(("marker", "body"), [(0xDB, bytes([0, *[1] * 64])), (0xEA, b"DW" + bytes(8))])
def test_what_stands_behind_the_last_scan_changes_nothing(marker: int, body: bytes) -> None:
    for stream in (Stream.ABBREVIATED, Stream.INTERCHANGE):
        frame = Encoder(TableSet.standard(60)).encode(PICTURE, stream)
        assert inspect(frame[:-2] + streams.segment(marker, body) + frame[-2:]) == inspect(frame)
