"""What frames' markers say, read once for what shares a prefix."""

import pytest

from cloud_server.inference.frames import DIGESTED_AT_EACH_END_BYTES, Frame, inspect_all, scan_bytes, scan_digest
from shared.errors import PeerError
from shared.jpeg import EOI, Stream, inspect
from tests.cloud_server.harness.frames import batch_with_scans, frame, tables


def prefix_of(data: bytes) -> bytes:
    """All of a JPEG before its scan."""
    return data[: len(data) - inspect(data).scan_bytes - len(EOI)]


def test_frames_of_a_batch_share_what_their_prefix_says() -> None:
    batch = batch_with_scans(50, range(3))
    frames = [Frame(n, data, batch.prefix) for n, data in enumerate(batch.frames())]
    infos = inspect_all(frames)
    assert infos[0] is infos[1] is infos[2]
    assert list(map(scan_bytes, frames, infos)) == [len(item.scan) for item in batch.items]


def test_frames_that_carry_their_tables_are_read_one_by_one() -> None:
    datas = [frame(tables(quality), 3, Stream.INTERCHANGE) for quality in (50, 80)]
    prefix = prefix_of(datas[0])
    infos = inspect_all([Frame(n, data, prefix) for n, data in enumerate(datas)])
    assert infos == [inspect(data) for data in datas]
    assert infos[0] != infos[1]


@pytest.mark.parametrize("stream", [Stream.ABBREVIATED, Stream.INTERCHANGE])
def test_a_frame_that_came_alone_has_its_own_scan(stream: Stream) -> None:
    data = frame(tables(50), 3, stream)
    (info,) = inspect_all([Frame(0, data)])
    assert scan_bytes(Frame(0, data), info) == inspect(data).scan_bytes == len(frame(tables(50), 3, Stream.SCAN))


def test_the_digest_of_a_scan_is_the_same_in_every_form_of_the_frame() -> None:
    batch = batch_with_scans(50, [3])
    (in_batch,) = (Frame(0, data, batch.prefix) for data in batch.frames())
    alone = [Frame(0, frame(tables(50), 3, stream)) for stream in (Stream.ABBREVIATED, Stream.INTERCHANGE)]
    digests = {scan_digest(one, len(batch.items[0].scan)) for one in (in_batch, *alone)}
    assert len(digests) == 1
    other = frame(tables(50), 4)
    assert digests != {scan_digest(Frame(0, other), inspect(other).scan_bytes)}


@pytest.mark.parametrize("at", [0, DIGESTED_AT_EACH_END_BYTES - 1, -1])
def test_the_digest_of_a_long_scan_is_of_its_ends_and_its_length(at: int) -> None:
    scan = bytearray(5 * DIGESTED_AT_EACH_END_BYTES)
    first = scan_digest(Frame(0, b"head" + bytes(scan) + EOI), len(scan))
    assert scan_digest(Frame(0, b"other head" + bytes(scan) + EOI), len(scan)) == first
    assert scan_digest(Frame(0, b"head" + bytes(scan) + bytes(1) + EOI), len(scan) + 1) != first, (
        "only the length differs"
    )
    scan[at] = 1
    assert scan_digest(Frame(0, b"head" + bytes(scan) + EOI), len(scan)) != first


def test_a_frame_that_cannot_be_read_says_why_and_has_no_scan() -> None:
    good = frame(tables(50), 3)
    infos = inspect_all([Frame(0, b"no JPEG", b"no"), Frame(1, good)])
    assert isinstance(infos[0], PeerError)
    assert infos[1] == inspect(good)
    assert scan_bytes(Frame(0, b"no JPEG", b"no"), infos[0]) == 0
