"""Table sets: the standard ones, their identity, their stream, and what is refused."""

import hashlib
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from shared.jpeg import HuffmanTable, InvalidTablesError, Sampling, TableSet
from shared.jpeg.tables import quant_id_of
from tests.shared.jpeg import pictures, streams


@pytest.mark.parametrize("sampling", list(Sampling))
def test_a_tables_only_stream_gives_its_tables_back(sampling: Sampling) -> None:
    tables = TableSet.standard(33, sampling)
    assert TableSet.from_stream(tables.to_stream()) == tables


@pytest.mark.parametrize("which", list(product(range(3), repeat=3)))
def test_it_does_so_however_the_components_share_tables(which: tuple[int, int, int]) -> None:
    steps = [bytes([step]) * 64 for step in (7, 8, 9)]
    tables = TableSet.standard().with_quant([steps[index] for index in which])
    stream = tables.to_stream()
    assert TableSet.from_stream(stream) == tables
    dqt = next(end - start for marker, start, end in streams.segments(stream[:-2] + b"\xff\xda\0\2") if marker == 0xDB)
    assert dqt == 4 + 65 * len(set(which))


def test_both_identities_are_short_hashes_of_the_stream() -> None:
    tables = TableSet.standard(50)
    stream = tables.to_stream()
    start, end = next((s, e) for m, s, e in streams.segments(stream[:-2] + b"\xff\xda\0\2") if m == 0xC4)
    assert tables.tables_id == hashlib.sha256(stream).hexdigest()[:16]
    assert tables.quant_id == hashlib.sha256(stream[:start] + stream[end:]).hexdigest()[:16]


def test_other_huffman_tables_change_the_tables_id_and_not_the_quant_id() -> None:
    tables = TableSet.standard(50)
    dc, ac, _, _ = tables.huffman
    other = tables.with_huffman((dc, ac, dc, ac))
    assert other.tables_id != tables.tables_id
    assert other.quant_id == tables.quant_id == quant_id_of(tables.sampling, tables.quant)


def test_sampling_is_part_of_both_identities() -> None:
    one, other = TableSet.standard(50, Sampling.YUV420), TableSet.standard(50, Sampling.YUV444)
    assert one.quant == other.quant
    assert one.tables_id != other.tables_id
    assert one.quant_id != other.quant_id


def test_every_cut_of_a_tables_only_stream_is_refused() -> None:
    stream = TableSet.standard(50).to_stream()
    for length in range(len(stream)):
        with pytest.raises(InvalidTablesError):
            TableSet.from_stream(stream[:length])


def test_every_changed_byte_is_refused_or_gives_other_tables() -> None:
    tables = TableSet.standard(50)
    stream = tables.to_stream()
    rng = np.random.default_rng(0)
    for position in range(len(stream)):
        changed = bytearray(stream)
        changed[position] ^= int(rng.integers(1, 256))
        try:
            found = TableSet.from_stream(bytes(changed))
        except InvalidTablesError:
            continue
        assert found != tables
        assert found.to_stream() == bytes(changed)


@pytest.mark.parametrize(
    "change",
    [
        lambda stream: stream + b"\0",
        lambda stream: stream[:-2] + b"\xff" + stream[-2:],
        lambda stream: stream[:2] + streams.segment(0xFE, b"hello") + stream[2:],
        lambda stream: stream[:2] + stream[9:],
        lambda stream: pictures.pillow_jpeg(pictures.noise(8, 8, 0), quality=50, subsampling=2),
    ],
    ids=["a byte behind", "a fill byte", "a comment", "no sampling", "a whole frame"],
)
def test_what_is_not_canonical_is_refused(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(InvalidTablesError):
        TableSet.from_stream(change(TableSet.standard(50).to_stream()))


def changed(index: int, counts: bytes | None = None, symbols: bytes | None = None) -> tuple[HuffmanTable, ...]:
    """The standard Huffman tables with one of them changed."""
    huffman = list(TableSet.standard().huffman)
    old = huffman[index]
    huffman[index] = HuffmanTable(counts or old.counts, symbols or old.symbols)
    return tuple(huffman)


ALL_ONES = bytes.fromhex("00000408") + bytes(12)  # 4 x 3 bits and 8 x 4 bits fill the code space


@pytest.mark.parametrize(
    ("huffman", "message"),
    [
        (changed(0, counts=ALL_ONES), "overflow"),
        (changed(0, counts=b"\3" + bytes([0, 0, 9]) + bytes(12)), "overflow"),
        (changed(0, counts=bytes(15) + b"\x0b"), "11 codes for 12 symbols"),
        (changed(0, symbols=bytes(range(11))), "12 codes for 11 symbols"),
        (changed(0, symbols=bytes([*range(11), 12])), "0x0c is not legal"),
        (changed(0, symbols=bytes([*range(11), 3])), "0x03 has two codes"),
        (changed(1, symbols=b"\x10" + TableSet.standard().huffman[1].symbols[1:]), "0x10 is not legal"),
        (changed(1, counts=TableSet.standard().huffman[1].counts[:15] + b"\x7c",
                 symbols=TableSet.standard().huffman[1].symbols[:-1]), "0xfa has no code"),
        (changed(1)[:2], "needs 4"),
        (changed(2, counts=b"\0" * 15), "12 symbols"),
    ],
)  # fmt: skip
def test_a_huffman_table_that_cannot_code_every_frame_is_refused(
    huffman: tuple[HuffmanTable, ...], message: str
) -> None:
    with pytest.raises(InvalidTablesError, match=message):
        TableSet.standard().with_huffman(huffman)


@pytest.mark.parametrize(
    "quant", [[bytes(64)] * 3, [b"\1" * 63] * 3, [b"\1" * 64], [b"\1" * 64] * 4, [b"\0" + b"\1" * 63] * 3]
)
def test_a_quantisation_table_without_64_steps_is_refused(quant: list[bytes]) -> None:
    with pytest.raises(InvalidTablesError):
        TableSet.standard().with_quant(quant)


def test_table_sets_are_values() -> None:
    one, other = TableSet.standard(50), TableSet.standard(50)
    assert one == other
    assert hash(one) == hash(other)
    assert one != TableSet.standard(51)
