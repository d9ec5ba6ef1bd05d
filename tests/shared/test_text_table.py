"""Tables for people."""

import pytest

from shared.text_table import text_table

HEADINGS = ["frame", "bytes", "kept"]
ROWS = [["k3v9w2xa.17", "7", "2026-11-29 03:12:44Z"], ["k3v9w2xa.18", "1,200", "-"]]


def test_what_fits_is_a_table_with_its_numbers_flush_right() -> None:
    assert text_table(HEADINGS, ROWS, 80).splitlines() == [
        "frame        bytes  kept",
        "───────────  ─────  ────────────────────",
        "k3v9w2xa.17      7  2026-11-29 03:12:44Z",
        "k3v9w2xa.18  1,200  -",
    ]


@pytest.mark.parametrize("columns", range(1, 81))
def test_every_cell_is_whole_at_every_width_and_lines_are_no_longer_than_they_must_be(columns: int) -> None:
    lines = text_table(HEADINGS, ROWS, columns).splitlines()
    for row in ROWS:
        for cell in row:
            assert any(cell in line for line in lines)
    assert max(map(len, lines)) <= max(columns, *(len(cell) + 2 for row in [*ROWS, HEADINGS] for cell in row))


def test_what_does_not_fit_is_a_block_a_row() -> None:
    assert text_table(HEADINGS, ROWS, 28).splitlines()[:4] == [
        "frame  k3v9w2xa.17",
        "bytes  7",
        "kept   2026-11-29 03:12:44Z",
        "",
    ]


def test_a_table_without_rows_is_its_headings() -> None:
    assert text_table(HEADINGS, [], 80).splitlines()[0] == "frame  bytes  kept"
