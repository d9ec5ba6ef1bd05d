"""Cameras in the field: a real server process, real `dctwire-sensor` processes, a line between them that may lie."""

import contextlib
import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from harness.fault_proxy import FaultProxy
from harness.processes import Running
from sensor_client.app import app
from sensor_client.state_directory import StateDirectory
from sensor_client.status import Status, read_status
from shared.bundle import Bundle
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.process import ServerProcess
from tests.sensor_client.pictures import write_pictures
from tests.sensor_client.program import sensor

PATIENCE_SECONDS = 60.0


def stories(names: Iterable[str], *quick: str) -> list[Any]:
    """All variants of a story, of which `make test` tells the `quick` ones and `make test-system` the others."""
    known = list(names)
    assert set(quick) <= set(known), quick
    return [pytest.param(name, marks=() if name in quick else pytest.mark.system) for name in known]


@dataclass(frozen=True)
class Camera:
    """One enrolled camera, by its state directory; it runs as the installed program."""

    state: Path
    pictures: Path
    log: Path

    def shoot(self, frames: int = 2, *more: object, **environment: str) -> list[dict[str, Any]]:
        """Take and deliver so many frames in one run of the program; what it logged."""
        run = self.attempt(frames, *more, **environment)
        assert run.returncode == 0, run.stderr
        return [json.loads(line) for line in run.stderr.splitlines()]

    def attempt(self, frames: int = 2, *more: object, **environment: str) -> "subprocess.CompletedProcess[str]":
        """The same, however it ends."""
        command = ("run", "--state", self.state, "--source", self.pictures, "--count", frames, "--exit-when-drained")
        return sensor(*command, *more, **environment)

    @contextlib.contextmanager
    def running(self, *more: object, rate: float = 20.0, env: Mapping[str, str] | None = None) -> Iterator[Running]:
        """The program beside us, taking `rate` pictures a second; it must still run at the end, and end in order."""
        command = ("run", "--state", self.state, "--source", self.pictures, "--rate", rate, *more)
        with Running(("dctwire-sensor", *map(str, command)), self.log, env) as program:
            yield program
            assert program.is_running, self.log.read_text()
            assert program.stop() == 0, self.log.read_text()

    @contextlib.contextmanager
    def delivering(self, frames: int, *more: object, rate: float = 20.0) -> Iterator[Running]:
        """The program beside us, which takes so many pictures and ends by itself once all of them are delivered."""
        command = ("run", "--state", self.state, "--source", self.pictures, "--rate", rate)
        ends = ("--count", frames, "--exit-when-drained")
        with Running(("dctwire-sensor", *map(str, (*command, *ends, *more))), self.log) as program:
            yield program
            program.wait(PATIENCE_SECONDS)

    @property
    def status(self) -> Status:
        """What `dctwire-sensor status` tells."""
        return read_status(StateDirectory(self.state))

    @property
    def device_id(self) -> str:
        """Its name."""
        return str(self.status.device_id)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What `running` logged so far."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


class Field:
    """One server process, and as many families, bundles and cameras as the stories want."""

    def __init__(self, directory: Path, **settings: object) -> None:
        self.directory = directory
        self.server = ServerProcess(directory, threads=1, quota_frames_per_second=1e6, **settings)
        self.harness = self.server.harness
        self.pictures = write_pictures(directory / "pictures", 20)
        self._numbers = count(1)

    def close(self) -> None:
        """Stop the server; it must still know how."""
        assert self.server.terminate() == 0

    def family(self, *qualities: float, assigned: int = 1) -> str:
        """A new family with a bundle of standard tables for each quality, numbered from 1; one of them is assigned."""
        family = f"story-{next(self._numbers)}"
        for counter, quality in enumerate(qualities, start=1):
            self.publish(family, counter, quality)
        self.harness.assign(family, assigned)
        return family

    def publish(self, family: str, counter: int, quality: float, min_counter: int = 1) -> Bundle:
        """Publish a bundle, as the command line does."""
        folder = self.directory / f"{family}.{counter}"
        bundle = write_bundle(folder, family, counter, tables(quality), seed=counter, min_counter=min_counter)
        self.harness.publish(folder)
        return bundle

    @contextlib.contextmanager
    def line(self) -> Iterator[FaultProxy]:
        """The line between a camera and the server, honest until it is told otherwise."""
        with FaultProxy(self.harness.addresses["device"]) as proxy:
            yield proxy

    def camera(self, folder: Path, family: str, line: FaultProxy) -> Camera:
        """Enrol a camera, as a person does."""
        code = self.harness.client("operator").post("/v1/claims", json={"family": family}).json()["claim_code"]
        root, state = self.harness.keys / "root.json", folder / "camera"
        command = ("enrol", "--server", line.url, "--claim", code, "--state", str(state), "--root", str(root))
        app(command, standalone_mode=False)
        return Camera(state, self.pictures, folder / "camera.log")

    def answered(self, camera: Camera) -> dict[int, str]:
        """By number, the tables of every frame of the camera that the server has answered, but for probes."""
        with self.harness.database() as database:
            known = "SELECT id FROM devices WHERE public_id = ?"
            rows = database.exec_driver_sql(
                f"SELECT sequence, tables FROM results WHERE device_id = ({known}) AND kind IS NULL",
                (camera.device_id,),
            )
            return {int(sequence): str(name) for sequence, name in rows}

    def require_nothing_lost(self, camera: Camera) -> None:
        """Every frame that the camera encoded was answered by the server; none waits, and none was given up."""
        status, answered = camera.status, self.answered(camera)
        counters = status.counters
        assert len(answered) == counters["encoded"] == counters["acknowledged"], (counters, len(answered))
        assert (status.spooled_frames, status.dead_letters, counters["dropped"]) == (0, 0, 0)
