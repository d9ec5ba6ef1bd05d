"""The examples of docs/codec.md run, and its tables of errors and limits are the code's."""

import doctest
import re
from dataclasses import asdict
from pathlib import Path

import shared.jpeg
from shared.jpeg import JpegError, Limits

PAGE = Path(__file__).resolve().parents[3] / "docs" / "codec.md"


def test_the_examples_do_what_the_page_says() -> None:
    examples = doctest.testfile(str(PAGE), module_relative=False)
    assert examples.attempted > 10
    assert examples.failed == 0


def test_the_table_of_errors_is_complete_and_right() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `([a-z-]+)` \|", PAGE.read_text(), re.MULTILINE))
    classes = {name: getattr(shared.jpeg, name) for name in shared.jpeg.__all__ if name.endswith("Error")}
    assert rows == {name: error.code for name, error in classes.items() if error is not JpegError}


def test_the_table_of_limits_is_complete_and_right() -> None:
    rows = re.findall(r"^\| `(max_\w+)` \| (\d+) \|", PAGE.read_text(), re.MULTILINE)
    assert {name: int(value) for name, value in rows} == asdict(Limits())
