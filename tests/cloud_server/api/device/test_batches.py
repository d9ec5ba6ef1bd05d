"""Batches: what their frames weigh once each of them has the prefix."""

from pathlib import Path

from shared.jpeg import EOI, Stream
from shared.wire import Batch, BatchItem, ProblemCode
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import server_in_thread

MEMORY_BYTES = 1 << 20


def test_frames_of_a_batch_count_with_the_prefix_that_each_of_them_is_given(
    tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    with server_in_thread(tmp_path, bodies_max_bytes=MEMORY_BYTES) as harness:
        harness.publish(bundle_folders[1])
        device = harness.enrol("digits")
        fitting, unfolding = batch_with_a_long_prefix(50), batch_with_a_long_prefix(150)
        assert len(unfolding.to_bytes()) < 50_000 < MEMORY_BYTES < len(unfolding.prefix) * len(unfolding.items)
        for _ in range(2):  # what is refused gives back what it held
            too_much = device.http.post("/v1/frames:batch", content=unfolding.to_bytes())
            assert_problem(too_much, 503, ProblemCode.QUEUE_FULL)
            assert device.http.post("/v1/frames:batch", content=fitting.to_bytes()).status_code == 200


def batch_with_a_long_prefix(frames: int) -> Batch:
    """A batch of equal frames whose prefix has 10 KB of a comment in it."""
    scan, whole = frame(tables(50), 1, Stream.SCAN), frame(tables(50), 1)
    comment = b"\xff\xfe" + (10_000).to_bytes(2, "big") + bytes(9_998)
    prefix = whole[:2] + comment + whole[2:].removesuffix(scan + EOI)
    return Batch(prefix, tuple(BatchItem(number, 1_700_000_000_000, scan) for number in range(frames)))
