"""What the sensor's benchmarks share: pictures of a camera, a bundle for 224x224, a server, an enrolled camera."""

import json
import os
import re
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import httpx
import numpy as np
from PIL import Image

from benchmarks.codec_pictures import Pixels, photographs
from benchmarks.pinned_server import PinnedServer
from harness import commands
from harness.processes import run
from shared.jpeg import TableSet
from tests.cloud_server.harness.bundles import write_bundle

SIDE: Final = 224
WIDTH, HEIGHT = 640, 480
QUALITY: Final = 75
FAMILY: Final = "cameras"
SERVER_CORE, SENSOR_CORE = 0, 1
PROGRAM: Final = Path(sys.executable).with_name("dctwire-sensor")


def camera_pictures(count: int) -> list[Pixels]:
    """Photographs of 640x480, RGB: parts of those that packages bring, larger where a photograph is smaller."""
    rng = np.random.default_rng(0)
    return [_camera_picture(rng) for _ in range(count)]


def _camera_picture(rng: np.random.Generator) -> Pixels:
    source = photographs()[rng.integers(len(photographs()))]
    height = int(rng.integers(180, min(source.shape[0], source.shape[1] * 3 // 4) + 1))
    width = height * 4 // 3
    top, left = (int(rng.integers(source.shape[axis] - part + 1)) for axis, part in enumerate((height, width)))
    part = Image.fromarray(source[top : top + height, left : left + width])
    return np.asarray(part.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS))


def standard_bundle(folder: Path) -> Path:
    """A bundle folder of an ordinary camera's tables for 224x224; its classifier is small and taught nothing."""
    write_bundle(folder, FAMILY, 1, TableSet.standard(QUALITY), side=SIDE)
    return folder


class Camera:
    """The real program with a state directory, on a core of its own."""

    def __init__(
        self,
        folder: Path,
        server: PinnedServer,
        url: str = "",
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Enrol it; `url` is where it finds the server, if not at its own address, and `run` gets the variables."""
        folder.mkdir()
        self._environment = {**os.environ, **variables}
        self.state, self._log = folder / "state", folder / "log"
        (folder / "root.json").write_bytes(server.root)
        address = url or server.addresses["device"]
        run(commands.enrol(address, server.claim(FAMILY), self.state, folder / "root.json"), log=self._log)

    def start(self, source: Path, *more: object) -> "subprocess.Popen[bytes]":
        """Start `run` with these pictures."""
        words = ("run", "--state", self.state, "--source", source, "--log-level", "warning", *more)
        command = ["taskset", "--cpu-list", str(SENSOR_CORE), str(PROGRAM), *map(str, words)]
        with self._log.open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment)

    def send(self, source: Path, *more: object) -> float:
        """Run it until everything is answered; the processor's seconds that it took.

        Raises:
            RuntimeError: it failed.
        """
        process = self.start(source, "--exit-when-drained", *more)
        used = cpu_seconds_of(process)
        if process.returncode != 0:
            raise RuntimeError(self._log.read_text()[-2000:])
        return used

    def counters(self) -> dict[str, int]:
        """What it has done so far."""
        counters: dict[str, int] = json.loads(run(commands.camera_status(self.state), log=self._log))["counters"]
        return counters

    def encoded(self) -> int:
        """Frames that were ever given to the spool; 0 while there is none."""
        path = self.state / "spool.sqlite3"
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                row = database.execute("SELECT value FROM counters WHERE name = 'encoded'").fetchone()
        except sqlite3.Error:
            return 0
        return 0 if row is None else int(row[0])


def as_the_unit_starts_it(folder: Path, *, has_http2: bool) -> dict[str, str]:
    """Variables of the systemd unit; without HTTP/2, a module in `folder` that hides the package h2, as if it were not
    installed: httpcore loads it wherever it is."""
    if has_http2:
        return {"MALLOC_ARENA_MAX": "1"}
    (folder / "h2").mkdir(parents=True)
    (folder / "h2" / "__init__.py").write_text('raise ImportError("hidden from this measurement")\n')
    return {"MALLOC_ARENA_MAX": "1", "PYTHONPATH": str(folder)}


def cpu_seconds_of(process: "subprocess.Popen[bytes]") -> float:
    """Wait for a child's end; processor time of it and its children, user's and system's."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime


def resident_mib(pid: int, what: str = "VmRSS") -> float:
    """Memory of a process: VmRSS now, VmHWM at most so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"{what}:\s+(\d+) kB", status)
    assert found is not None, status
    return int(found[1]) / 1024


def enrolled_token(server: PinnedServer) -> str:
    """The token of a device that posts by itself."""
    wanted = {"claim_code": server.claim(FAMILY), "secret": secrets.token_urlsafe(32)}
    answer = httpx.post(server.addresses["device"] + "/v1/devices", json=wanted)
    return str(answer.raise_for_status().json()["token"])


def write_files(folder: Path, pictures: Sequence[Pixels], suffix: str) -> Path:
    """The pictures as numbered files; JPEG ones of an ordinary camera's quality."""
    folder.mkdir(parents=True)
    for index, pixels in enumerate(pictures):
        options: dict[str, Any] = {"quality": 90} if suffix == "jpg" else {}
        Image.fromarray(pixels).save(folder / f"{index:04}.{suffix}", **options)
    return folder
