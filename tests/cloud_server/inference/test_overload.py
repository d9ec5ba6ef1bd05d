"""A server with more frames than it may hold: some are told to come back, the rest are answered."""

from pathlib import Path

from shared.wire import ProblemCode, Retry
from tests.cloud_server.harness.frames import batch_with_scans, frame, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import server_in_thread


def test_frames_over_the_queue_are_told_to_come_back(tmp_path: Path, bundle_folders: dict[int, Path]) -> None:
    with server_in_thread(tmp_path, queue_max_frames=20, batch_max_frames=4) as harness:
        harness.publish(bundle_folders[1])
        device = harness.enrol("digits")
        body = batch_with_scans(50, range(50)).to_bytes()
        answer = device.http.post("/v1/frames:batch", content=body)
        problems = [result["problem"] for result in answer.json()["results"] if "problem" in result]
        assert len(problems) == 30
        assert {(problem["code"], problem["retry"]) for problem in problems} == {(ProblemCode.QUEUE_FULL, Retry.LATER)}
        assert harness.scrape().value("dctwire_rejected_frames_total", reason="queue-full") == 30
        again = device.http.post("/v1/frames:batch", content=batch_with_scans(50, range(20)).to_bytes())
        assert all("label" in result for result in again.json()["results"])


def test_a_frame_that_cannot_be_answered_in_time_is_told_so(tmp_path: Path, bundle_folders: dict[int, Path]) -> None:
    with server_in_thread(tmp_path, wait_max_seconds=1e-9) as harness:
        harness.publish(bundle_folders[1])
        answer = harness.enrol("digits").post(frame(tables(50)))
        assert_problem(answer, 504, ProblemCode.TIMED_OUT)
        assert answer.headers["retry-after"]
        assert answer.json()["retry"] == Retry.LATER
