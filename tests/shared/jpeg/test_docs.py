"""The examples of docs/codec.md run, and its table of errors is the code's."""

import doctest
import re
from pathlib import Path

import shared.jpeg
from shared.jpeg import JpegError

PAGE = Path(__file__).resolve().parents[3] / "docs" / "codec.md"


def test_the_examples_do_what_the_page_says():
    examples = doctest.testfile(str(PAGE), module_relative=False)
    assert examples.attempted > 10
    assert examples.failed == 0


def test_the_table_of_errors_is_complete_and_right():
    rows = dict(re.findall(r"^\| `(\w+)` \| `([a-z-]+)` \|", PAGE.read_text(), re.MULTILINE))
    classes = {name: getattr(shared.jpeg, name) for name in shared.jpeg.__all__ if name.endswith("Error")}
    assert rows == {name: error.code for name, error in classes.items() if error is not JpegError}
