"""Tables as C arrays: what Annex C and the codec say, and lines that fit."""

import re

from cloud_server.c_library.tables import NEVER, codes, codes_in_c, divisors, numbers, quantisers_in_c
from shared.bundle import EncoderSettings
from shared.jpeg import TableSet

TABLES = TableSet.standard(50)


def test_codes_are_those_of_annex_k() -> None:
    dc = codes(TABLES.huffman[0])
    assert (dc[0], dc[1], dc[11]) == ((0b00, 2), (0b010, 3), (0b111111110, 9))  # T.81 table K.3
    ac = codes(TABLES.huffman[1])
    assert (ac[0x00], ac[0x01], ac[0xF0], ac[0xFA]) == ((0b1010, 4), (0, 2), (0b11111111001, 11), (0xFFFE, 16))


def test_components_with_equal_tables_share_them() -> None:
    text = quantisers_in_c(TABLES, EncoderSettings())
    assert "quantisers[2]" in text and "quantiser_of[COMPONENTS] = {0, 1, 1};" in text


def test_a_masked_frequency_gets_a_divisor_that_no_dividend_reaches() -> None:
    masked = EncoderSettings.nearest(mask=[[False] * 63 + [True]] * 3)
    assert divisors(TABLES, masked, 0)[62:] == [8 * TABLES.quant[0][62], NEVER]


def test_lines_fit_and_every_number_is_there() -> None:
    text = numbers(range(1000))
    assert max(map(len, text.splitlines())) <= 120
    assert [int(word) for word in re.findall(r"\d+", text)] == list(range(1000))
    assert max(map(len, codes_in_c(TABLES).splitlines())) <= 120
