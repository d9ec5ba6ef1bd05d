"""The streams of tests/vectors/jpeg: written byte for byte, and read as what they are."""

import hashlib

import numpy as np
import pytest

from shared.jpeg import Decoder, TableSet
from tests.reference import t81_decoder
from tests.shared.jpeg import pictures, streams
from tests.vectors.jpeg_vectors import FOLDER, vectors

VECTORS = vectors()


@pytest.mark.parametrize("name", VECTORS)
def test_a_golden_stream_is_written_byte_for_byte(name: str) -> None:
    assert VECTORS[name] == (FOLDER / name).read_bytes()


def test_every_golden_stream_is_checked() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(VECTORS)


@pytest.mark.parametrize(
    ("name", "tables_id", "quant_id"),
    [
        ("standard-75.tables", "c035e3e7bbf5d42d", "123d6c30706dbee3"),
        ("learned.tables", "5f5d4555b875b251", "5287ffcaa17a925a"),
        ("grey-50.tables", "9454462245d0fc04", "3294ecde7f1d5a5b"),
    ],
)
def test_the_identity_of_golden_tables_is_known(name: str, tables_id: str, quant_id: str) -> None:
    data = (FOLDER / name).read_bytes()
    tables = TableSet.from_stream(data)
    assert (tables.tables_id, tables.quant_id) == (tables_id, quant_id)
    assert tables_id == hashlib.sha256(data).hexdigest()[:16]


@pytest.mark.parametrize("family", ["standard-75", "learned"])
def test_a_golden_abbreviated_frame_reads_alike_everywhere(family: str) -> None:
    tables = TableSet.from_stream((FOLDER / f"{family}.tables").read_bytes())
    abbreviated = (FOLDER / f"{family}.abbreviated").read_bytes()
    found = Decoder(tables).decode(abbreviated)
    complete = streams.with_tables(abbreviated, tables)
    for plane, component in zip(found.planes, t81_decoder.decode(complete).components, strict=True):
        np.testing.assert_array_equal(plane, component.levels)
    assert pictures.pillow_pixels(complete).shape == (40, 56, 3)
