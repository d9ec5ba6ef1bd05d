"""The batch format: exact round trips, and an error for every other byte string."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.wire import BATCH_MAX_FRAMES, BATCH_MAX_PREFIX_BYTES, Batch, BatchError, BatchItem

items = st.lists(
    st.tuples(st.integers(0, 2**40), st.integers(0, 2**42), st.binary(max_size=40)),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row[0],
).map(lambda rows: tuple(BatchItem(*row) for row in sorted(rows)))


@given(prefix=st.binary(max_size=60), items=items)
def test_a_batch_comes_back_as_it_was(prefix: bytes, items: tuple[BatchItem, ...]) -> None:
    batch = Batch(prefix, items)
    assert Batch.from_bytes(batch.to_bytes()) == batch


@given(prefix=st.binary(max_size=60), items=items, data=st.data())
def test_a_batch_cut_short_is_refused(prefix: bytes, items: tuple[BatchItem, ...], data: st.DataObject) -> None:
    whole = Batch(prefix, items).to_bytes()
    with pytest.raises(BatchError):
        Batch.from_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_batch_or_the_documented_error(tail: bytes) -> None:
    try:
        batch = Batch.from_bytes(b"DWB1" + tail)
    except BatchError:
        return
    assert Batch.from_bytes(batch.to_bytes()) == batch


def test_the_format_does_not_change() -> None:
    batch = Batch(b"PRE", (BatchItem(300, 1000, b"ab"), BatchItem(301, 990, b""), BatchItem(303, 1010, b"c")))
    assert batch.to_bytes().hex() == "445742310350524503e807ac020261620113000228 0163".replace(" ", "")


def test_a_frame_is_prefix_scan_and_eoi() -> None:
    batch = Batch(b"PRE", (BatchItem(1, 0, b"s1"), BatchItem(2, 0, b"s2")))
    assert list(batch.frames()) == [b"PREs1\xff\xd9", b"PREs2\xff\xd9"]


def test_framing_costs_at_most_eight_bytes_a_frame() -> None:
    frames = tuple(BatchItem(5000 + i, 1_700_000_000_000 + 250 * i, bytes(180)) for i in range(64))
    framing = len(Batch(b"P" * 49, frames).to_bytes()) - 64 * 180 - 49
    assert framing <= 8 * 64


def test_a_byte_after_the_last_frame_is_refused() -> None:
    with pytest.raises(BatchError, match="1 bytes after the last frame"):
        Batch.from_bytes(Batch(b"", (BatchItem(1, 0, b""),)).to_bytes() + b"\0")


@pytest.mark.parametrize("count", [0, BATCH_MAX_FRAMES + 1])
def test_too_few_or_too_many_frames_are_refused(count: int) -> None:
    with pytest.raises(BatchError, match="1 to 256 frames"):
        Batch(b"", tuple(BatchItem(i, 0, b"") for i in range(count)))


def test_a_sequence_that_does_not_grow_is_refused() -> None:
    with pytest.raises(BatchError, match="must grow"):
        Batch(b"", (BatchItem(2, 0, b""), BatchItem(2, 0, b"")))


def test_an_endless_number_is_refused() -> None:
    with pytest.raises(BatchError, match="more than 10 bytes"):
        Batch.from_bytes(b"DWB1" + b"\xff" * 64)


def test_a_prefix_that_would_unfold_to_gigabytes_is_refused() -> None:
    items = tuple(BatchItem(i, 0, b"") for i in range(BATCH_MAX_FRAMES))
    longest = Batch(bytes(BATCH_MAX_PREFIX_BYTES), items).to_bytes()
    assert len(Batch.from_bytes(longest).items) == BATCH_MAX_FRAMES
    with pytest.raises(BatchError, match="prefix has at most"):
        Batch(bytes(BATCH_MAX_PREFIX_BYTES + 1), items)


@pytest.mark.parametrize("sequence", [-1, 2**63])
def test_a_sequence_that_no_device_can_have_is_refused(sequence: int) -> None:
    with pytest.raises(BatchError, match="a sequence number is out of range"):
        Batch(b"p", (BatchItem(sequence, 0, b"s"),))


def test_other_bytes_are_no_batch() -> None:
    with pytest.raises(BatchError, match="begins with DWB1"):
        Batch.from_bytes(b"DWB2" + bytes(8))


def test_a_scan_taken_before_1970_cannot_be_written() -> None:
    with pytest.raises(BatchError, match="-1 is negative"):
        Batch(b"p", (BatchItem(0, -1, b"s"),)).to_bytes()
