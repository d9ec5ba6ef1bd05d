"""The label that a folder's name gives its pictures."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sensor_client.sources.folder_label import label_of


def test_a_folder_gives_its_name() -> None:
    assert label_of(Path("/pictures/stop")) == "stop"


@pytest.mark.parametrize("name", ["l" * 129, "two\nlines", os.fsdecode(b"caf\xe9")], ids=["long", "control", "bytes"])
def test_a_name_that_no_label_can_have_gives_none_and_is_told(name: str, lines: list[Mapping[str, Any]]) -> None:
    assert label_of(Path("/pictures") / name) is None
    assert [line["event"] for line in lines] == ["label-unusable"]
