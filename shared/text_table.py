"""Rows of text for people: a table where it fits, else a block a row; nothing is ever cut or broken in two."""

import re
import shutil
from collections.abc import Sequence

UNLIMITED_COLUMNS = 10_000
_GAP = "  "
_NUMBER = re.compile(r"-|[-+]?[\d,.]+ ?%?|")


def output_columns() -> int:
    """How many columns a line of standard output may have: COLUMNS, or the terminal's; into a file or a pipe, any."""
    return shutil.get_terminal_size((UNLIMITED_COLUMNS, 1)).columns


def text_table(headings: Sequence[str], rows: Sequence[Sequence[str]], columns: int) -> str:
    """Lay rows out within so many columns.

    Where the table is wider, each row becomes a block with a line for each heading; only a value that is wider than
    that by itself makes a longer line. Columns that hold numbers alone are flush right.

    Args:
        rows: of as many cells as there are headings; a cell is one line.
    """
    widths = [max(map(len, cells)) for cells in zip(headings, *rows, strict=True)]
    if sum(widths) + len(_GAP) * (len(widths) - 1) > columns:
        return "\n\n".join(_block(headings, row, columns) for row in rows)
    are_right = [all(map(_NUMBER.fullmatch, cells)) for cells in zip(*rows, strict=True)] or [False] * len(headings)
    rule = ["─" * width for width in widths]
    lines = [headings, rule, *rows]
    return "\n".join(
        _GAP.join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(line, widths, are_right, strict=True)
        ).rstrip()
        for line in lines
    )


def _block(headings: Sequence[str], row: Sequence[str], columns: int) -> str:
    indent = max(map(len, headings)) + len(_GAP)
    lines = []
    for heading, cell in zip(headings, row, strict=True):
        fits = indent + len(cell) <= columns
        lines.append(f"{heading.ljust(indent)}{cell}".rstrip() if fits else f"{heading}\n{_GAP}{cell}")
    return "\n".join(lines)
