"""A dctwire-server on a core of its own, with everything fresh: what the serving benchmarks measure."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.record import ROOT
from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.publishing import ModelFolder, initialise_trust, publish_folder

STOP_SECONDS = 60.0
_START = "import os, sys; os.sched_setaffinity(0, {%d}); from %s import main; main()"
_NO_QUOTA = {"DCTWIRE_SERVER_QUOTA_FRAMES_PER_SECOND": "1e6"}  # few devices post here what a fleet does
_PORTS = ("--device-host", "127.0.0.1", "--device-port", "0", "--operator-port", "0", "--ops-port", "0")


class PinnedServer:
    """`dctwire-server run` with one classifying thread, pinned to one core; a context that stops it.

    Args:
        options: more flags of `dctwire-server run`; environment: more variables.
        program: the module whose `main` is the server.
        prepare: told the folders of the operator's keys and of the server's data before it starts.
    """

    def __init__(
        self,
        core: int,
        options: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        prepare: Callable[[Path, Path], None] = lambda _keys, _data: None,
        program: str = "cloud_server.command",
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        self._keys, self.data = folder / "keys", folder / "data"
        initialise_trust(self._keys, self.data, datetime.now(UTC))
        prepare(self._keys, self.data)
        command = [sys.executable, "-c", _START % (core, program), "run", "--data", str(self.data), "--threads", "1"]
        with (folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                [*command, *_PORTS, *options],
                cwd=ROOT,
                env=os.environ | _NO_QUOTA | (environment or {}),
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said:
            raise RuntimeError((folder / "log").read_text())
        self.addresses: dict[str, str] = json.loads(said)

    def __enter__(self) -> "PinnedServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate(timeout=STOP_SECONDS)
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        """Of the server's process."""
        return self._process.pid

    @property
    def root(self) -> bytes:
        """What devices are shipped with."""
        return (self._keys / "root.json").read_bytes()

    @property
    def device_address(self) -> tuple[str, int]:
        """Host and port of the device plane."""
        url = httpx.URL(self.addresses["device"])
        return url.host, url.port or 80

    def operator(self) -> OperatorClient:
        """A client of the operator plane, as the first admin."""
        token = (self.data / "admin-token").read_text().strip()
        return OperatorClient(self.addresses["operator"], token)

    def publish(self, folder: Path | ModelFolder) -> None:
        """Publish a bundle folder, or what was read from one."""
        read = ModelFolder.read(folder) if isinstance(folder, Path) else folder
        with closing(self.operator()) as client:
            publish_folder(client, read, self._keys, datetime.now(UTC), lambda _: None)

    def assign(self, family: str, counter: int) -> None:
        """Assign a published bundle."""
        with closing(self.operator()) as client:
            client.post("/v1/assignments", {"family": family, "counter": counter})

    def precisions(self) -> list[str | None]:
        """What each published bundle's classifier computes in: fp32 or int8; None while it is not in memory."""
        with closing(self.operator()) as client:
            return [row["precision"] for row in client.get("/v1/bundles")["bundles"]]

    def claim(self, family: str) -> str:
        """A code with which one device may join."""
        with closing(self.operator()) as client:
            return str(client.post("/v1/claims", {"family": family})["claim_code"])

    def enrol(self, family: str) -> str:
        """A new device's session token."""
        joining = {"claim_code": self.claim(family), "secret": secrets.token_urlsafe(32)}
        answer = httpx.post(self.addresses["device"] + "/v1/devices", json=joining)
        return str(answer.raise_for_status().json()["token"])

    def metrics(self, *names: str) -> list[float]:
        """Of each metric the sum of its samples, whatever their labels; one scrape."""
        samples = [
            sample
            for metric in text_string_to_metric_families(httpx.get(self.addresses["ops"] + "/metrics").text)
            for sample in metric.samples
        ]
        return [sum(sample.value for sample in samples if sample.name == name) for name in names]

    def cpu_seconds(self) -> float:
        """Processor time of all the server's threads so far, user's and system's."""
        threads = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    def resident_bytes(self) -> int:
        """Memory in use (RSS)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
