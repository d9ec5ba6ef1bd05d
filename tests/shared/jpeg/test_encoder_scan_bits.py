"""The cost of levels in bits: what a scan of them takes, to the bit, at any size and sampling."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.jpeg import Coefficients, Decoder, Encoder, Sampling, Stream, SymbolCounts, TableSet
from tests.shared.jpeg import pictures
from tests.shared.jpeg.test_statistics import lengths

every_sampling = pytest.mark.parametrize("sampling", list(Sampling))


def bytes_without_stuffing(scan: bytes) -> int:
    """The number of bytes of a scan without the zeros behind each FF (T.81 F.1.2.3)."""
    return len(scan) - scan.count(b"\xff\0")


def quantised(tables: TableSet, picture: pictures.Pixels) -> Coefficients:
    """The levels of a picture by these tables."""
    return Decoder().decode(Encoder(tables).encode(picture, Stream.INTERCHANGE))


def fitted(tables: TableSet, coefficients: Coefficients) -> TableSet:
    """The tables with the Huffman codes that are optimal for these levels."""
    counts = SymbolCounts()
    counts.add_coefficients(coefficients)
    return tables.with_huffman(counts.tables()[: len(tables.huffman)])


@every_sampling
@pytest.mark.parametrize("side", [1, 7, 8, 9, 15, 16, 17, 31, 33, 48])
def test_bits_are_those_of_the_scan_before_it_is_filled_up_and_stuffed(sampling: Sampling, side: int) -> None:
    for draw in (pictures.natural, pictures.noise, pictures.extremes):
        tables = TableSet.standard(side + 40, sampling)
        levels = quantised(tables, draw(side, 50 - side, side))
        for encoder in (Encoder(tables), Encoder(fitted(tables, levels))):
            scan = encoder.encode_coefficients(levels, Stream.SCAN)
            assert -(-encoder.scan_bits(levels) // 8) == bytes_without_stuffing(scan)


@every_sampling
def test_bits_are_code_lengths_times_symbol_counts(sampling: Sampling) -> None:
    tables = TableSet.standard(85, sampling)
    levels = quantised(tables, pictures.natural(41, 59, 3))
    counts = SymbolCounts()
    counts.add_coefficients(levels)
    bits = 0
    for row, table in zip(counts.counts, tables.huffman, strict=False):
        bits += sum(int(row[symbol]) * (length + (symbol & 15)) for symbol, length in lengths(table).items())
    assert Encoder(tables).scan_bits(levels) == bits


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_levels_cost_what_their_scan_takes(data: st.DataObject) -> None:
    sampling = data.draw(st.sampled_from(Sampling))
    tables = TableSet.standard(50, sampling)
    height, width = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    empty = quantised(tables, np.zeros((height, width, 3), np.uint8))
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
    density, largest = data.draw(st.floats(0, 1)), data.draw(st.sampled_from([1, 2, 40, 1023]))
    planes = []
    for plane in empty.planes:
        drawn = rng.integers(-largest, largest + 1, plane.shape, dtype=np.int16)
        planes.append(np.where(rng.random(plane.shape) < density, drawn, np.int16(0)))
    levels = Coefficients(height, width, sampling, tuple(planes), tables.quant)
    scan = Encoder(tables).encode_coefficients(levels, Stream.SCAN)
    assert -(-Encoder(tables).scan_bits(levels) // 8) == bytes_without_stuffing(scan)


@pytest.mark.parametrize("sampling", [Sampling.YUV420, Sampling.GREY])
def test_a_batch_costs_frame_by_frame_what_its_scans_take(sampling: Sampling) -> None:
    images = np.stack([pictures.natural(32, 48, seed) for seed in range(5)])
    encoder = Encoder(TableSet.standard(75, sampling))
    bits = encoder.scan_bits_batch(*encoder.quantise_batch(images))
    assert bits.dtype == np.uint64
    scans = encoder.encode_batch(images, Stream.SCAN)
    assert [-(-int(one) // 8) for one in bits] == [bytes_without_stuffing(scan) for scan in scans]


def test_an_empty_batch_costs_nothing() -> None:
    y, c = np.empty((0, 64, 2, 2), np.int16), np.empty((0, 128, 1, 1), np.int16)
    assert Encoder(TableSet.standard()).scan_bits_batch(y, c).shape == (0,)


@pytest.mark.parametrize(
    ("y", "c"),
    [
        (np.zeros((1, 64, 2, 2), np.int16), None),
        (np.zeros((1, 64, 2, 2), np.int16), np.zeros((1, 128, 2, 2), np.int16)),
        (np.zeros((1, 64, 3, 2), np.int16), np.zeros((1, 128, 1, 1), np.int16)),
        (np.zeros((1, 64, 2, 2), np.int32), np.zeros((1, 128, 1, 1), np.int16)),
        (np.zeros((1, 63, 2, 2), np.int16), np.zeros((1, 128, 1, 1), np.int16)),
        (np.zeros((1, 64, 0, 0), np.int16), np.zeros((1, 128, 0, 0), np.int16)),
        (np.full((1, 64, 2, 2), 1024, np.int16), np.zeros((1, 128, 1, 1), np.int16)),
        (np.full((1, 64, 2, 2), -(1 << 15), np.int16), np.zeros((1, 128, 1, 1), np.int16)),
    ],
)
def test_levels_that_no_scan_can_hold_are_the_callers_mistake(y: NDArray[Any], c: NDArray[Any]) -> None:
    with pytest.raises(ValueError):
        Encoder(TableSet.standard()).scan_bits_batch(y, c)


def test_coefficients_that_do_not_fit_the_tables_or_their_own_size_are_the_callers_mistake() -> None:
    levels = quantised(TableSet.standard(50), pictures.natural(16, 16, 1))
    with pytest.raises(ValueError, match="the tables are for"):
        Encoder(TableSet.standard(50, Sampling.YUV444)).scan_bits(levels)
    larger = Coefficients(17, 16, levels.sampling, levels.planes, levels.quant)
    with pytest.raises(ValueError, match="do not match the size"):
        Encoder(TableSet.standard(50)).scan_bits(larger)
    fewer = Coefficients(16, 16, levels.sampling, levels.planes[:1], levels.quant)
    with pytest.raises(ValueError, match="1 planes for 4:2:0"):
        Encoder(TableSet.standard(50)).scan_bits(fewer)
