"""A camera is enrolled at the wrong port of a real server: it is told which plane it met, and where to go."""

from pathlib import Path

import pytest

from tests.cloud_server.harness.server import server_in_thread
from tests.sensor_client.program import sensor


@pytest.mark.parametrize("plane", ["operator", "ops"])
def test_enrolling_at_another_plane_names_it_and_spends_no_claim_code(tmp_path: Path, plane: str) -> None:
    with server_in_thread(tmp_path) as server:
        code = server.client("operator").post("/v1/claims", json={"family": "digits"}).json()["claim_code"]
        options = ("--claim", code, "--state", tmp_path / "device", "--root", server.keys / "root.json")
        wrong = sensor("enrol", "--server", server.addresses[plane], *options)
        right = sensor("enrol", "--server", server.addresses["device"], *options)

    assert wrong.returncode == 2
    assert f"is the dctwire {plane} plane" in wrong.stderr and "port 8000" in wrong.stderr
    assert right.returncode == 0, right.stderr
