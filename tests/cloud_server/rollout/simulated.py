"""A small fleet that does as it is told: it posts frames of the tables that the server assigns it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from shared.jpeg import TableSet
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.frames import frame
from tests.cloud_server.harness.server import ServerHarness

FAMILY = "digits"


@dataclass
class Camera:
    """A device, and the counter of the bundle that it runs."""

    device: Device
    running: int | None = None
    seq: int = 0

    def look(self) -> None:
        """Ask what to run, and run it from now on."""
        answer = self.device.http.get("/v1/assignment")
        if answer.status_code == 200:
            told = answer.json()
            self.running, self.seq = told["counter"], told["seq"]

    def tell(self, event: str) -> None:
        """Tell what became of the assigned bundle."""
        target = f"{self.device.family}/{self.running}.json"
        told = {"event": event, "target": target}
        answer = self.device.http.post(f"/v1/assignments/{self.seq}/events", json=told)
        assert answer.status_code == 204, answer.text


@dataclass
class Fleet:
    """Devices of one family, and the tables of its bundles by counter."""

    harness: ServerHarness
    tables: dict[int, TableSet]
    cameras: list[Camera] = field(default_factory=list)

    @classmethod
    def of(cls, harness: ServerHarness, tables: dict[int, TableSet], size: int) -> "Fleet":
        """A fleet of so many devices."""
        return cls(harness, tables, [Camera(harness.enrol(FAMILY)) for _ in range(size)])

    def post(self, frames: int = 1) -> None:
        """Have each camera ask what to run, and post so many frames of it."""
        for camera in self.cameras:
            camera.look()
            for number in range(frames):
                answer = camera.device.post(frame(self.tables[camera.running or 1], number))
                assert answer.status_code == 200, answer.text

    def running(self, counter: int) -> list[Camera]:
        """The cameras that run a bundle."""
        return [camera for camera in self.cameras if camera.running == counter]


@dataclass
class Operator:
    """Starts and steers rollouts over HTTP."""

    http: httpx.Client

    def start(self, counter: int, stages: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
        """Begin a rollout."""
        plan = {"stages": stages, **changes}
        answer = self.http.post("/v1/rollouts", json={"family": FAMILY, "counter": counter, "plan": plan})
        assert answer.status_code == 201, answer.text
        started: dict[str, Any] = answer.json()
        return started

    def steer(
        self, rollout: str, what: str, body: dict[str, Any] | None = None, *, seen: str | None = None
    ) -> httpx.Response:
        """Do something to a rollout; `seen` is the ETag of what was seen of it."""
        headers = {} if seen is None else {"if-match": seen}
        return self.http.post(f"/v1/rollouts/{rollout}/{what}", json=body or {}, headers=headers)

    def look(self, rollout: str) -> dict[str, Any]:
        """A rollout in full."""
        answer = self.http.get(f"/v1/rollouts/{rollout}")
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def states(self, rollout: str) -> Iterator[str]:
        """The states of a rollout, again and again."""
        while True:
            yield str(self.look(rollout)["state"])
