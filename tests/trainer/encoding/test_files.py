"""A run's encoding on disk: it comes back as it was, and damage has a name."""

from pathlib import Path

import numpy as np
import pytest

from shared.jpeg import TableSet
from trainer.encoding.files import EncoderSettings, Encoding, read_encoding, write_encoding
from trainer.errors import RunError

ENCODING = Encoding(
    TableSet.standard(12.5), EncoderSettings.nearest(rounding=0.4, mask=np.arange(64) > 40, weights=0.25)
)


def test_an_encoding_comes_back_as_it_was(tmp_path: Path) -> None:
    write_encoding(ENCODING, tmp_path)
    assert read_encoding(tmp_path) == ENCODING
    assert read_encoding(tmp_path) != Encoding(ENCODING.tables)


@pytest.mark.parametrize("name", ["tables.jpg", "encoder.json"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\xd8"])
def test_a_missing_or_damaged_file_is_named(tmp_path: Path, name: str, content: bytes | None) -> None:
    write_encoding(ENCODING, tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RunError, match=name):
        read_encoding(tmp_path)
