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
        noted = device.http.put(f"/v1/frames/{frame_id}/label", json=label)
        assert (noted.status_code, noted.headers["dw-answered"]) == (204, frame_id)
        refused = device.http.put(f"/v1/frames/{frame_id}/label", content=b"{")
        assert_problem(refused, 429, ProblemCode.QUOTA_EXCEEDED)
        assert refused.headers["dw-answered"] == f"{frame_id} refused"


def test_every_refusal_of_a_label_names_its_frame_and_no_other_devices(
    tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    with server_in_thread(tmp_path) as harness:
        harness.publish(bundle_folders[1])
        device, other = harness.enrol("digits"), harness.enrol("digits")
        mine = device.post(frame(tables(50)), 1000).json()["id"]
        theirs = other.post(frame(tables(50)), 1000).json()["id"]
        label = {"label": "one", "source": "human"}
        cases = ((mine, b"{", 400), (mine, b" " * (17 << 10), 413), (f"{device.device_id}.7", label, 404))
        for frame_id, sent, status in cases:
            how = {"content": sent} if isinstance(sent, bytes) else {"json": sent}
            answer = device.http.put(f"/v1/frames/{frame_id}/label", **how)
            assert (answer.status_code, answer.headers["dw-answered"]) == (status, f"{frame_id} refused")
        for frame_id in (theirs, "nonsense", f"{device.device_id}.x"):
            answer = device.http.put(f"/v1/frames/{frame_id}/label", json=label)
            assert answer.status_code == 404
            assert "dw-answered" not in answer.headers
