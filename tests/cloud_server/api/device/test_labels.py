"""Labels from devices: what is checked before their body is read."""

from pathlib import Path

from shared.wire import ProblemCode
from tests.cloud_server.harness.frames import batch_with_scans, frame, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import server_in_thread


def test_a_device_without_quota_cannot_label_and_its_body_is_not_looked_at(
    tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    with server_in_thread(tmp_path, quota_frames_per_second=0.001, quota_burst_frames=256) as harness:
        harness.publish(bundle_folders[1])
        device = harness.enrol("digits")
        frame_id = device.post(frame(tables(50)), 1000).json()["id"]
        device.http.post("/v1/frames:batch", content=batch_with_scans(50, range(254)).to_bytes())
        label = {"label": "one", "source": "human"}
        assert device.http.put(f"/v1/frames/{frame_id}/label", json=label).status_code == 204
        assert_problem(device.http.put(f"/v1/frames/{frame_id}/label", content=b"{"), 429, ProblemCode.QUOTA_EXCEEDED)
