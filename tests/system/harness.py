"""A whole system for a test: the real programs as processes, over loopback, in a folder of its own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from harness import commands
from harness.measurement import Measured, Samples, measured
from harness.processes import Running, run
from shared.bundle import EncoderSettings
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.classifiers import LABELS
from tests.cloud_server.harness.frames import picture, tables
from tests.ports import free_ports

FAMILY = commands.FAMILY
WAIT_SECONDS = 180.0


class SystemHarness:
    """Folders, a server on ports that survive its restarts, and the commands people give."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys, self.data, self.pictures = folder / "keys", folder / "data", folder / "pictures"
        self.device_port, self.operator_port, self.ops_port = free_ports(3)
        self.device, self.ops = f"http://127.0.0.1:{self.device_port}", f"http://127.0.0.1:{self.ops_port}"
        self.environment = commands.as_operator(f"http://127.0.0.1:{self.operator_port}", self.data)
        run(commands.init_trust(self.keys, self.data), log=self.log("trust"))

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    @contextmanager
    def server(self, **settings: object) -> Iterator[Running]:
        """The server with these settings, ready; stopped in order at the end unless it was killed."""
        (self.data / "addresses.json").unlink(missing_ok=True)
        ports = ("--device-port", self.device_port, "--operator-port", self.operator_port, "--ops-port", self.ops_port)
        command = ("dctwire-server", "run", "--data", str(self.data), "--device-host", "127.0.0.1", *map(str, ports))
        environment = {f"DCTWIRE_SERVER_{name.upper()}": str(value) for name, value in settings.items()}
        with Running(command, self.log("server"), environment) as server:
            server.wait_for((self.data / "addresses.json").exists, WAIT_SECONDS, "server that is ready")
            yield server

    def publish(
        self,
        counter: int,
        quality: float,
        *,
        settings: EncoderSettings = EncoderSettings(),  # noqa: B008 (frozen)
        assign: bool = True,
    ) -> None:
        bundle = self.folder / f"v{counter}"
        write_bundle(bundle, FAMILY, counter, tables(quality), settings=settings, seed=counter)
        run(commands.publish(bundle, self.keys, assign=assign), **self._as_operator())

    def enrol(self, name: str) -> Path:
        """Enrol a camera; its state directory."""
        code = json.loads(run(commands.claim(), **self._as_operator()))["claim_code"]
        state = self.folder / name
        run(commands.enrol(self.device, code, state, self.keys / "root.json"), log=self.log(name))
        return state

    def camera(self, state: Path, *more: str, batch: int = 8, rate: float = 200) -> Running:
        command = commands.camera(state, self.pictures, batch=batch, rate=rate)
        return Running((*command, *more), self.log(state.name))

    def status(self, state: Path) -> dict[str, object]:
        status: dict[str, object] = json.loads(run(commands.camera_status(state), log=self.log(state.name)))
        return status

    def measured(self, tables_name: str) -> Measured:
        return measured(Samples.scrape(self.ops), tables_name, len(list(self.pictures.rglob("*.png"))))

    def draw_pictures(self, count: int) -> None:
        for index in range(count):
            folder = self.pictures / LABELS[index % len(LABELS)]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.asarray(picture(index))).save(folder / f"{index:05}.png")

    def _as_operator(self) -> dict[str, Any]:
        return {"log": self.log("operator"), "env": self.environment}
