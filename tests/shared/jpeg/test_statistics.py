"""Symbol counts and fitted Huffman tables: right counts, shortest codes, every symbol coded."""

import heapq
from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.jpeg import ZIGZAG, Decoder, Encoder, HuffmanTable, Sampling, Stream, SymbolCounts, TableSet
from tests.reference import package_merge
from tests.shared.jpeg import pictures, streams
from tests.shared.jpeg.levels import colour_levels

SUBSAMPLING = {
    Sampling.GREY: {},
    Sampling.YUV444: {"subsampling": 0},
    Sampling.YUV422: {"subsampling": 1},
    Sampling.YUV420: {"subsampling": 2},
}


def batch(count: int = 6, height: int = 32, width: int = 48) -> NDArray[Any]:
    """Natural pictures of one size."""
    return np.stack([pictures.natural(height, width, seed) for seed in range(count)])


def scan_bits(tables: TableSet, images: np.ndarray) -> int:
    """The size of all scans in bits, rounded up to bytes."""
    return 8 * sum(len(frame) for frame in Encoder(tables).encode_batch(images, Stream.SCAN))


def size(value: int) -> int:
    """The size of a value (SSSS of T.81 tables F.1 and F.2)."""
    return abs(value).bit_length()


def counted_slowly(y: NDArray[Any], c: NDArray[Any]) -> list[Counter[int]]:
    """The symbols of 4:2:0 levels, counted in Python in the order of T.81 A.2.3."""
    counts: list[Counter[int]] = [Counter() for _ in range(4)]
    for image_y, image_c in zip(y, c, strict=True):
        last = [0, 0, 0]
        for row in range(image_c.shape[1]):
            for column in range(image_c.shape[2]):
                luma = [image_y[:, 2 * row + v, 2 * column + u] for v in range(2) for u in range(2)]
                chroma = [image_c[:64, row, column], image_c[64:, row, column]]
                for component, block in [(0, b) for b in luma] + [(1, chroma[0]), (2, chroma[1])]:
                    offset = 2 * min(component, 1)
                    counts[offset][size(int(block[0]) - last[component])] += 1
                    last[component] = int(block[0])
                    counts[offset + 1].update(ac_symbols([int(block[n]) for n in ZIGZAG[1:]]))
    return counts


def ac_symbols(levels: list[int]) -> list[int]:
    """The run/size symbols, ZRL and EOB of 63 levels (T.81 figure F.2)."""
    symbols, run = [], 0
    for level in levels:
        if level == 0:
            run += 1
            continue
        symbols += [0xF0] * (run // 16) + [(run % 16) << 4 | size(level)]
        run = 0
    return symbols + [0x00] * (run > 0)


def optimal_bits(counts: list[int]) -> int:
    """The cost of a Huffman code without a limit of length: the sum of all merged weights."""
    heap = list(counts)
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        total += merged
        heapq.heappush(heap, merged)
    return total


def lengths(table: HuffmanTable) -> dict[int, int]:
    """The length of each symbol's code."""
    each = [length for length, count in enumerate(table.counts, 1) for _ in range(count)]
    return dict(zip(table.symbols, each, strict=True))


def test_counts_are_those_of_the_symbols_a_scan_holds() -> None:
    y, c = colour_levels(Encoder(TableSet.standard(90)), batch())
    counts = SymbolCounts()
    counts.add(y, c)
    for row, expected in zip(counts.counts, counted_slowly(y, c), strict=True):
        assert {symbol: int(n) for symbol, n in enumerate(row) if n} == dict(expected)


def test_counts_add_up() -> None:
    y, c = colour_levels(Encoder(TableSet.standard(90)), batch())
    whole, parts = SymbolCounts(), SymbolCounts()
    whole.add(y, c)
    parts.add(y[:2], c[:2])
    parts.add(y[2:2], c[2:2])
    parts.add(y[2:], c[2:])
    np.testing.assert_array_equal(whole.counts, parts.counts)


def test_the_counted_cost_is_the_cost_of_the_scans() -> None:
    images = batch(1)
    tables = TableSet.standard(90)
    counts = SymbolCounts()
    counts.add(*Encoder(tables).quantise_batch(images))
    bits = 0
    for row, table in zip(counts.counts, tables.huffman, strict=True):
        for symbol, length in lengths(table).items():
            bits += int(row[symbol]) * (length + (symbol & 15))
    stuffing = Encoder(tables).encode(images[0], Stream.SCAN).count(b"\xff\0")
    assert scan_bits(tables, images) == -(-bits // 8) * 8 + 8 * stuffing


def test_fitted_tables_make_the_fitted_pictures_smaller() -> None:
    images = batch(40)
    for quality in (30, 75, 95):
        tables = TableSet.standard(quality)
        counts = SymbolCounts()
        counts.add(*Encoder(tables).quantise_batch(images))
        assert scan_bits(tables.with_huffman(counts.tables()), images) < scan_bits(tables, images)


@pytest.mark.parametrize("seed", range(20))
def test_fitted_codes_are_as_short_as_a_huffman_tree_allows(seed: int) -> None:
    # Mild counts need no code over 16 bits, so that the limit costs nothing; the reserved code weighs 0.
    rng = np.random.default_rng(seed)
    counts = SymbolCounts()
    counts.counts[:] = rng.integers(0, 500, (4, 256))
    for row, table in zip(counts.counts, counts.tables(), strict=True):
        weights = {symbol: int(row[symbol]) + 1 for symbol in table.symbols}
        cost = sum(weights[symbol] * length for symbol, length in lengths(table).items())
        assert cost == optimal_bits([*weights.values(), 0])


@pytest.mark.parametrize("sampling", SUBSAMPLING)
@pytest.mark.parametrize(
    "draw", [pictures.natural, pictures.noise, pictures.extremes, pictures.flat, pictures.portrait]
)
def test_a_scan_under_fitted_tables_is_never_larger_than_pillows_optimised_scan_with_its_tables(
    draw: pictures.Draw, sampling: Sampling
) -> None:
    # Ours have a code for every symbol, so that a fleet can share them; Pillow's only for what this picture holds, so
    # that each file must carry its own. Equal coefficients; our scan against Pillow's scan and DHT segments.
    for side, quality in [(1, 50), (8, 95), (17, 30), (32, 50), (64, 75), (130, 90), (300, 5), (300, 30)]:
        picture = draw(side, side + 3, side % 200)
        picture = picture[..., 0] if sampling is Sampling.GREY else picture
        jpeg = pictures.pillow_jpeg(picture, quality=quality, optimize=True, **SUBSAMPLING[sampling])
        levels, counts = Decoder().decode(jpeg), SymbolCounts()
        counts.add_coefficients(levels)
        standard = TableSet.standard(quality, sampling)
        tables = standard.with_huffman(counts.tables()[: len(standard.huffman)])
        ours = len(Encoder(tables).encode_coefficients(levels, Stream.SCAN))
        dht = sum(end - start for marker, start, end in streams.segments(jpeg) if marker == 0xC4)
        assert ours <= len(streams.scan_of(jpeg)) + dht


@pytest.mark.parametrize("shape", ["mild", "steep", "sparse"])
@pytest.mark.parametrize("seed", range(5))
def test_fitted_codes_are_as_short_as_package_merge_allows(seed: int, shape: str) -> None:
    rng = np.random.default_rng(seed)
    counts = SymbolCounts()
    counts.counts[:] = {
        "mild": rng.integers(0, 500, (4, 256)),
        "steep": (2 ** rng.uniform(0, 40, (4, 256))).astype(np.uint64),
        "sparse": rng.integers(0, 10**6, (4, 256)) * (rng.random((4, 256)) < 0.1),
    }[shape]
    for row, table in zip(counts.counts, counts.tables(), strict=True):
        weights = {symbol: int(row[symbol]) + 1 for symbol in table.symbols}
        assert max(lengths(table).values()) <= 16
        assert package_merge.cost(weights, lengths(table)) == package_merge.cost(
            weights, package_merge.cheapest_lengths(weights, limit=16)
        )


@pytest.mark.parametrize("quality", [30, 50, 75, 95])
def test_codes_for_every_symbol_cost_a_corpus_no_more_than_a_thousandth(quality: int) -> None:
    # Against the optimum for the very symbols that occur, which need not code any other.
    encoder, counts = Encoder(TableSet.standard(quality)), SymbolCounts()
    counts.add(*encoder.quantise_batch(batch(60, 128, 128)))
    found = best = 0
    for row, table in zip(counts.counts, counts.tables(), strict=True):
        weights = {symbol: int(count) for symbol, count in enumerate(row) if count}
        values = sum(weight * (symbol & 15) for symbol, weight in weights.items())
        found += values + package_merge.cost(weights, lengths(table))
        best += values + package_merge.cost(weights, package_merge.cheapest_lengths(weights, limit=16))
    assert best <= found <= 1.001 * best


@pytest.mark.parametrize("counts", [0, 1, 2**63])
def test_any_counts_give_tables_for_every_symbol(counts: int) -> None:
    fitted = SymbolCounts()
    fitted.counts[:] = counts
    tables = TableSet.standard(100).with_huffman(fitted.tables())
    picture = pictures.extremes(40, 40, 1)
    found = Decoder(tables).decode(Encoder(tables).encode(picture))
    expected = Decoder().decode(Encoder(TableSet.standard(100)).encode(picture, Stream.INTERCHANGE))
    np.testing.assert_array_equal(found.planes[0], expected.planes[0])


def test_steep_counts_stay_within_16_bits() -> None:
    fitted = SymbolCounts()
    fitted.counts[:] = np.uint64(1) << (np.arange(256, dtype=np.uint64) % np.uint64(60))
    for table in fitted.tables():
        assert max(lengths(table).values()) <= 16


@pytest.mark.parametrize(
    ("y", "c"),
    [
        (np.zeros((1, 64, 2, 2), np.int16), np.zeros((1, 128, 2, 2), np.int16)),
        (np.zeros((1, 64, 2, 2), np.int32), np.zeros((1, 128, 1, 1), np.int32)),
        (np.zeros((2, 64, 2, 2), np.int16), np.zeros((1, 128, 1, 1), np.int16)),
        (np.full((1, 64, 2, 2), 3000, np.int16), np.zeros((1, 128, 1, 1), np.int16)),
        (np.zeros((), np.int16), np.zeros((), np.int16)),
    ],
)
def test_levels_that_no_scan_can_hold_are_the_callers_mistake(y: NDArray[Any], c: NDArray[Any]) -> None:
    with pytest.raises(ValueError):
        SymbolCounts().add(y, c)


def test_levels_that_are_not_aligned_count_like_any_other() -> None:
    y, c = Encoder(TableSet.standard(75)).quantise_batch(batch(2))
    shifted = np.frombuffer(b"\0" + y.tobytes(), np.int16, offset=1).reshape(y.shape)
    expected, found = SymbolCounts(), SymbolCounts()
    expected.add(y, c)
    found.add(shifted, c)
    np.testing.assert_array_equal(found.counts, expected.counts)
