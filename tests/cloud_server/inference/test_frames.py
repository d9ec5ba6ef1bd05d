"""What frames' markers say, read once for what shares a prefix."""

import pytest

from cloud_server.inference.frames import Frame, inspect_all, scan_bytes
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


def test_a_frame_that_cannot_be_read_says_why_and_has_no_scan() -> None:
    good = frame(tables(50), 3)
    infos = inspect_all([Frame(0, b"no JPEG", b"no"), Frame(1, good)])
    assert isinstance(infos[0], PeerError)
    assert infos[1] == inspect(good)
    assert scan_bytes(Frame(0, b"no JPEG", b"no"), infos[0]) == 0
