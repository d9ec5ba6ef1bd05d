"""The batch format: exact round trips, and an error for every other byte string."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.wire import BATCH_MAX_FRAMES, BATCH_MAX_PREFIX_BYTES, COMPANIONS, Batch, BatchError, BatchItem, Kind

items = st.lists(
    st.tuples(st.integers(0, 2**40), st.integers(0, 2**42), st.binary(max_size=40)),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row[0],
).map(lambda rows: tuple(BatchItem(*row) for row in sorted(rows)))


@st.composite
def companions(draw: st.DrawFn) -> Batch:
    """Batches of companions, each of an ordinary frame."""
    frames = draw(st.lists(st.integers(0, 2**40), min_size=1, max_size=8, unique=True))
    rows = draw(items.filter(lambda rows: rows[-1].sequence > min(frames)))
    taken = {row.sequence for row in rows}
    owners = [[of for of in frames if of < row.sequence and of not in taken] for row in rows]
    pairs = [(row, of) for row, of in zip(rows, owners, strict=True) if of]
    assume(pairs)
    ours = tuple(row._replace(of=draw(st.sampled_from(of))) for row, of in pairs)
    return Batch(draw(st.binary(max_size=60)), ours, draw(st.sampled_from(sorted(COMPANIONS))))


batches = st.builds(Batch, st.binary(max_size=60), items) | companions()


@given(batches)
def test_a_batch_comes_back_as_it_was(batch: Batch) -> None:
    assert Batch.from_bytes(batch.to_bytes()) == batch


@given(batch=batches, data=st.data())
def test_a_batch_cut_short_is_refused(batch: Batch, data: st.DataObject) -> None:
    whole = batch.to_bytes()
    with pytest.raises(BatchError):
        Batch.from_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(magic=st.sampled_from([b"DWB1", b"DWB2", b"DWB2\x00\x01", b"DWB2\x00\x02"]), tail=st.binary(max_size=200))
def test_any_bytes_end_in_a_batch_or_the_documented_error(magic: bytes, tail: bytes) -> None:
    assert_ends_well(magic + tail)


@given(batch=batches, data=st.data())
def test_a_batch_with_other_bytes_ends_in_a_batch_or_the_documented_error(batch: Batch, data: st.DataObject) -> None:
    hurt = bytearray(batch.to_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(hurt))] * 2)))
        hurt[start : min(end, start + 3)] = data.draw(st.binary(max_size=3))
    assert_ends_well(bytes(hurt))


def assert_ends_well(data: bytes) -> None:
    """Assert that these bytes are refused, or mean a batch that can be sent again; one taken before 1970 cannot."""
    try:
        batch = Batch.from_bytes(data)
        again = batch.to_bytes()
    except BatchError:
        return
    assert Batch.from_bytes(again) == batch


def test_the_format_does_not_change() -> None:
    batch = Batch(b"PRE", (BatchItem(300, 1000, b"ab"), BatchItem(301, 990, b""), BatchItem(303, 1010, b"c")))
    assert batch.to_bytes().hex() == "445742310350524503e807ac020261620113000228 0163".replace(" ", "")


def test_the_format_of_companions_does_not_change() -> None:
    items = (BatchItem(300, 1000, b"ab", of=299), BatchItem(301, 990, b"", of=1), BatchItem(303, 1010, b"c", of=298))
    golden = "44574232 03505245 01 03 e807 ac02 01 02 6162 01 ac02 13 00 02 05 28 01 63"
    assert Batch(b"PRE", items, Kind.PROBE).to_bytes() == bytes.fromhex(golden)
    detail = bytes.fromhex(golden.replace("03505245 01", "03505245 02"))
    assert Batch.from_bytes(detail) == Batch(b"PRE", items, Kind.DETAIL)


def test_ordinary_frames_in_the_format_of_companions_are_read_and_written_as_every_server_reads_them() -> None:
    frames = Batch(b"PRE", (BatchItem(300, 1000, b"ab"), BatchItem(301, 990, b"")))
    plain = frames.to_bytes()
    assert Batch.from_bytes(b"DWB2" + plain[4:8] + b"\0" + plain[8:]) == frames


@pytest.mark.parametrize("code", [3, 127, 2**63])
def test_a_kind_that_nobody_knows_is_refused(code: int) -> None:
    kind = bytes([*(code >> shift & 0x7F | 0x80 for shift in range(0, 63, 7)), code >> 63])
    with pytest.raises(BatchError, match=f"there is no kind {code} of frames: 0 to 2 are known"):
        Batch.from_bytes(b"DWB2\0" + kind + b"\x01\0\x05\x01\0")


@pytest.mark.parametrize("of", [None, -1, 5, 6])
def test_a_companion_belongs_to_a_frame_before_it(of: int | None) -> None:
    with pytest.raises(BatchError, match="frame 5 is a probe: name the earlier frame that it belongs to"):
        Batch(b"p", (BatchItem(5, 0, b"s", of),), Kind.PROBE)


@pytest.mark.parametrize("distance", [0, 6])
def test_a_distance_that_leads_to_no_frame_before_is_refused(distance: int) -> None:
    assert Batch.from_bytes(b"DWB2\0\x01\x01\0\x05\x05\0").items[0].of == 0
    with pytest.raises(BatchError, match="name the earlier frame"):
        Batch.from_bytes(b"DWB2\0\x01\x01\0\x05" + bytes([distance, 0]))


def test_a_companion_of_another_companion_is_refused() -> None:
    with pytest.raises(BatchError, match="to an ordinary frame, not to another companion"):
        Batch(b"p", (BatchItem(5, 0, b"s", of=4), BatchItem(6, 0, b"s", of=5)), Kind.DETAIL)


def test_two_companions_may_belong_to_one_frame() -> None:
    batch = Batch(b"p", (BatchItem(5, 0, b"s", of=4), BatchItem(6, 0, b"s", of=4)), Kind.DETAIL)
    assert [item.of for item in Batch.from_bytes(batch.to_bytes()).items] == [4, 4]


def test_ordinary_frames_belong_to_none() -> None:
    with pytest.raises(BatchError, match="an ordinary frame belongs to no other"):
        Batch(b"p", (BatchItem(5, 0, b"s"), BatchItem(6, 0, b"s", of=5)))


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
    with pytest.raises(BatchError, match="begins with DWB1 or DWB2"):
        Batch.from_bytes(b"DWB3" + bytes(8))


def test_a_scan_taken_before_1970_cannot_be_written() -> None:
    with pytest.raises(BatchError, match="-1 is negative"):
        Batch(b"p", (BatchItem(0, -1, b"s"),)).to_bytes()
