"""A server process is killed while there is a rollout in every state that waits; the next one goes on with each."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, insert

from cloud_server.storage.schema import replicas
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.process import ServerProcess
from tests.cloud_server.harness.server import ServerHarness
from tests.cloud_server.harness.waiting import wait_until

pytestmark = pytest.mark.system

TABLES = {1: tables(50), 2: tables(25)}
FAMILIES = ("draft", "preflight", "stage", "soak", "paused", "rolling-back")
"""Each is named after the state in which its rollout is when the process is killed."""
AT_ONCE = {"percent": 100, "min_devices": 0, "max_fail_rate": 0.5}
WAITING = {"percent": 100, "min_devices": 1}
PLANS: dict[str, dict[str, Any]] = {
    "draft": {"stages": [AT_ONCE], "starts_at": time.time() + 36_000},
    "preflight": {"stages": [AT_ONCE]},
    "stage": {"stages": [WAITING]},
    "soak": {"stages": [AT_ONCE], "soak_seconds": 3600},
    "paused": {"stages": [WAITING]},
    "rolling-back": {"stages": [WAITING], "proofs": 9},
}


class Server:
    """A process, what operators see of its rollouts, and a device of each family."""

    def __init__(self, folder: Path, devices: dict[str, Device] | None = None) -> None:
        self.process = ServerProcess(folder)
        self.harness: ServerHarness = self.process.harness
        self.operator = self.harness.client("operator")
        self.devices = {family: self._known(device) for family, device in (devices or {}).items()}

    def _known(self, device: Device) -> Device:
        """A device that was enrolled before, which asks this process from now on."""
        http = self.harness.client("device", headers={"authorization": f"Bearer {device.token}"})
        return Device(http, device.device_id, device.token, device.family, device.next_sequence)

    def state(self, family: str) -> str:
        """The state of a family's newest rollout."""
        return str(self._newest(family)["state"])

    def steer(self, family: str, what: str) -> httpx.Response:
        """Have an operator steer a family's newest rollout."""
        return self.operator.post(f"/v1/rollouts/{self._newest(family)['id']}/{what}", json={})

    def await_state(self, family: str, state: str) -> None:
        """Wait until a family's newest rollout is in a state."""
        wait_until(lambda: self.state(family) == state)

    def post(self, family: str, counter: int) -> None:
        """Have a family's device send a frame of a bundle, which is answered."""
        answer = self.devices[family].post(frame(TABLES[counter], 1))
        assert (answer.status_code, answer.json()["model"]) == (200, f"{family}/{counter}")

    def told(self, family: str) -> int:
        """The counter of the bundle that a family's device should run."""
        return int(self.devices[family].http.get("/v1/assignment").json()["counter"])

    def _newest(self, family: str) -> dict[str, Any]:
        listed = self.operator.get("/v1/rollouts", params={"family": family, "limit": 1}).json()
        newest: dict[str, Any] = listed["rollouts"][0]
        return newest


def prepare(server: Server, folder: Path) -> None:
    """Publish two bundles a family, assign the first ones, and begin the rollouts, all but one of which may start."""
    for family in FAMILIES:
        for counter, these in TABLES.items():
            write_bundle(folder / family / f"v{counter}", family, counter, these, seed=counter)
            server.harness.publish(folder / family / f"v{counter}")
        server.harness.assign(family, 1)
        server.devices[family] = server.harness.enrol(family)
    served = [f"{family}/{counter}" for family in FAMILIES for counter in TABLES if family != "preflight"]
    other = {"id": "elsewhere", "seen_at": time.time() + 36_000, "serves": json.dumps(served), "missing_keys": None}
    with server.harness.database() as database:
        database.execute(insert(replicas), other)
    for family, plan in PLANS.items():
        wanted = {"family": family, "counter": 2, "plan": plan}
        assert server.operator.post("/v1/rollouts", json=wanted).status_code == 201


def test_a_process_that_is_killed_in_every_state_is_followed_by_one_that_goes_on(tmp_path: Path) -> None:
    first = Server(tmp_path)
    prepare(first, tmp_path)
    for family in ("paused", "rolling-back"):
        first.await_state(family, "stage")
    first.post("rolling-back", 2)
    wait_until(lambda: _is_reached(first))
    assert first.steer("rolling-back", "rollback").status_code == 200
    assert first.steer("paused", "pause").status_code == 200
    for family in FAMILIES:
        first.await_state(family, family)
    first.process.kill()

    second = Server(tmp_path, first.devices)
    assert {family: second.state(family) for family in FAMILIES} == {family: family for family in FAMILIES}
    exposed = ("stage", "soak", "paused")
    assert {family: second.told(family) for family in FAMILIES} == {f: 2 if f in exposed else 1 for f in FAMILIES}
    with second.harness.database() as database:
        database.execute(delete(replicas).where(replicas.c.id == "elsewhere"))
    second.await_state("preflight", "complete")
    for family in ("stage", "paused"):
        for _ in range(3):
            second.post(family, 2)
    assert second.steer("paused", "resume").status_code == 200
    second.post("rolling-back", 1)
    second.await_state("stage", "complete")
    second.await_state("paused", "complete")
    second.await_state("rolling-back", "rolled-back")
    assert second.steer("soak", "promote").json()["state"] == "complete"
    assert second.steer("draft", "abort").json()["state"] == "aborted"
    assert second.process.terminate() == 0


def _is_reached(server: Server) -> bool:
    newest = server.operator.get("/v1/rollouts", params={"family": "rolling-back", "limit": 1}).json()["rollouts"][0]
    return bool(server.operator.get(f"/v1/rollouts/{newest['id']}").json()["devices"]["pending"] == 1)
