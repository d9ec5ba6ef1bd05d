"""The tables of T.81 annex K at every quality, held against libjpeg's."""

import pytest

from shared.jpeg import ZIGZAG, HuffmanTable, TableSet, inspect
from tests.shared.jpeg import pictures, streams


@pytest.mark.parametrize("quality", range(1, 101))
def test_standard_tables_are_libjpegs_at_every_quality(quality: float) -> None:
    jpeg = pictures.pillow_jpeg(pictures.noise(8, 8, 0), quality=quality, subsampling=2)
    assert inspect(jpeg).quant == TableSet.standard(quality).quant


def test_standard_huffman_tables_are_libjpegs() -> None:
    jpeg = pictures.pillow_jpeg(pictures.noise(8, 8, 0), quality=50, subsampling=2)
    bodies = [jpeg[start + 4 : end] for marker, start, end in streams.segments(jpeg) if marker == 0xC4]
    found = {body[0]: HuffmanTable(body[1:17], body[17:]) for body in bodies}
    assert TableSet.standard().huffman == tuple(found[slot] for slot in (0x00, 0x10, 0x01, 0x11))


def test_a_quality_may_have_a_fraction() -> None:
    # IJG scaling: 5000 / 12.5 = 400 percent.
    assert TableSet.standard(12.5).quant[0][0] == 64
    assert TableSet.standard(12.5).quant[0][1] == 44


@pytest.mark.parametrize("quality", [0, 0.5, 101, -1, float("nan")])
def test_a_quality_outside_1_to_100_is_the_callers_mistake(quality: float) -> None:
    with pytest.raises(ValueError, match="quality"):
        TableSet.standard(quality)


def test_the_zig_zag_order_walks_the_diagonals_of_the_block() -> None:
    places = [divmod(index, 8) for index in ZIGZAG]
    assert sorted(places) == [(row, column) for row in range(8) for column in range(8)]
    # T.81 figure 5: upwards on even diagonals, downwards on odd ones.
    assert places == sorted(places, key=lambda at: (sum(at), at[0] if sum(at) % 2 else at[1]))
