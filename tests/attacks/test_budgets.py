"""A byte budget in the field: what crosses the line is counted by a relay, whatever happens to the camera."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks.counting_relay import CountingRelay
from harness.processes import Running
from tests.attacks.field import PATIENCE_SECONDS, Camera, Field

pytestmark = pytest.mark.system

BUDGET_BYTES = 120_000
REQUEST_BYTES = 4_000
"""More than any request here costs, both ways."""
KILLS = 4


class Metered:
    """The line between a camera and the server, by a relay that counts."""

    def __init__(self, relay: CountingRelay) -> None:
        self._relay = relay
        self.url = f"http://127.0.0.1:{relay.address[1]}"

    @property
    def bytes(self) -> int:
        return self._relay.sent_bytes + self._relay.received_bytes


def budgeted(camera: Camera) -> Running:
    """The program, with a hard budget for the month."""
    command = ("run", "--state", camera.state, "--source", camera.pictures, "--rate", 100, "--budget-hard")
    return Running(("dctwire-sensor", *map(str, command), "--budget-month", str(BUDGET_BYTES)), camera.log)


def test_a_camera_that_is_killed_again_and_again_stays_within_its_budget(field: Field, tmp_path: Path) -> None:
    """The camera is killed while it sends, started again, and killed again, until its budget for the month is used up.

    All starts together spend no more than the budget and one request, and most of it is spent on what it is for.
    """
    device_plane = urlsplit(field.harness.addresses["device"])
    with CountingRelay((str(device_plane.hostname), device_plane.port or 80)) as relay:
        line = Metered(relay)
        camera = field.camera(tmp_path, field.family(50), line)  # type: ignore[arg-type]
        before = line.bytes
        for kill in range(1, KILLS + 1):
            with budgeted(camera) as program:
                program.wait_for(lambda n=kill: line.bytes - before > n * 15_000, PATIENCE_SECONDS, "some bytes")  # type: ignore[misc]
                program.kill()
        with budgeted(camera) as program:
            program.wait_for(lambda: "over-budget" in camera.log.read_text(), PATIENCE_SECONDS, "the end of the budget")
            assert program.stop() == 0

        spent = line.bytes - before
        assert BUDGET_BYTES / 2 < spent <= BUDGET_BYTES + REQUEST_BYTES
        status = camera.status
        assert status.spooled_frames > 0 and status.counters["dropped"] == 0
        assert spent <= status.traffic_spent["month"] <= BUDGET_BYTES + REQUEST_BYTES
