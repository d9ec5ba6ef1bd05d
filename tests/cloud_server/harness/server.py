"""A running server in this process, on an event loop of its own, with every way in."""

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import uvloop
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection

from cloud_server.app import System
from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.publishing import ModelFolder, initialise_trust, publish_folder
from cloud_server.logs import LogCounts
from cloud_server.open_storage import engine_of
from cloud_server.operators.roles import Role
from cloud_server.operators.secrets import new_token, new_token_id, token_sha256
from cloud_server.operators.token_file import TOKEN_FILE
from cloud_server.registry.floor import Falling
from cloud_server.settings import ServerSettings
from cloud_server.storage.rows import known_time
from cloud_server.storage.rows import operators as rows
from cloud_server.storage.rows.known_time import KnownTime
from shared.trust import NotPublishedError, TrustClient
from tests.cloud_server.harness.devices import Device, joining
from tests.cloud_server.harness.engines import Embedded, Engine
from tests.cloud_server.harness.metrics import Scrape

EMBEDDED = Embedded()
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For plain HTTP; making one that knows the public authorities takes 50 ms a client."""

FREE_PORTS = {"device_host": "127.0.0.1", "device_port": 0, "operator_port": 0, "ops_port": 0}


@dataclass
class ServerHarness:
    """A running server, its operator's keys, and ways in."""

    data: Path
    keys: Path
    addresses: dict[str, str]
    engine: Engine = field(default_factory=Embedded)
    first_data: Path | None = None
    clients: list[httpx.Client] = field(default_factory=list)

    def client(self, plane: str, **arguments: Any) -> httpx.Client:
        """A client of one plane; closed with the harness. Without headers, the operator's is the first admin."""
        if plane == "operator" and "headers" not in arguments:
            arguments["headers"] = {"authorization": f"Bearer {self.admin_token}"}
        client = httpx.Client(base_url=self.addresses[plane], timeout=30, **{"verify": NO_TLS} | arguments)
        self.clients.append(client)
        return client

    @property
    def admin_token(self) -> str:
        """The first admin's token."""
        return self.token_file.read_text().strip()

    @property
    def token_file(self) -> Path:
        """Where the first admin's token lies: with the replica that was the first to start."""
        return (self.first_data or self.data) / TOKEN_FILE

    @property
    def as_operator(self) -> dict[str, str]:
        """The variables with which `dctwire` operates this server."""
        return {"DCTWIRE_OPERATOR_URL": self.addresses["operator"], "DCTWIRE_OPERATOR_TOKEN_FILE": str(self.token_file)}

    def operator(self, name: str, role: Role) -> httpx.Client:
        """A client of the operator plane for an operator of this name, made where there is none, with a new token."""
        token, now = new_token(), time.time()
        with self.database() as database:
            rows.add(database, rows.OperatorRow(name, role.value, now, None))
            rows.add_token(database, rows.NewToken(new_token_id(), name, token_sha256(token), now, None))
        return self.client("operator", headers={"authorization": f"Bearer {token}"})

    def connect(self) -> socket.socket:
        """A raw connection to the device plane."""
        url = httpx.URL(self.addresses["device"])
        return socket.create_connection((url.host, url.port or 80), timeout=30)

    def enrol(self, family: str) -> Device:
        """Claim and enrol a device."""
        claim = self.client("operator").post("/v1/claims", json={"family": family}).json()
        http = self.client("device")
        made = http.post("/v1/devices", json=joining(claim["claim_code"])).json()
        http.headers["authorization"] = f"Bearer {made['token']}"
        return Device(http, made["device_id"], made["token"], made["family"])

    def publish(self, folder: Path, *, may_jump: bool = False, falling: Falling = Falling.NOTHING) -> None:
        """Publish a bundle folder as the CLI does."""
        client, read = OperatorClient(self.addresses["operator"], self.admin_token), ModelFolder.read(folder)
        with contextlib.closing(client):
            publish = partial(publish_folder, client, read, self.keys, datetime.now(UTC), lambda _step: None)
            publish(may_jump=may_jump, falling=falling)

    def assign(self, family: str, counter: int) -> int:
        """Assign a bundle; returns the number."""
        answer = self.client("operator").post("/v1/assignments", json={"family": family, "counter": counter})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["seq"])

    def release(self, name: str) -> None:
        """Release a published fallback to its family."""
        family, _, _ = name.partition("/")
        answer = self.client("operator").put(f"/v1/fallbacks/{family}/released", json={"name": name})
        assert answer.status_code == 200, answer.text

    def follower(self, folder: Path, family: str = "digits") -> TrustClient:
        """What a device of a family follows the server's signed metadata with; it keeps them in `folder`."""
        http = self.client("device")

        def fetch(name: str, _limit_bytes: int, _seconds: float) -> Iterator[bytes]:
            answer = http.get(f"/tuf/{name}")
            if answer.status_code == 404:
                raise NotPublishedError(name)
            yield answer.content

        return TrustClient(folder, (self.keys / "root.json").read_bytes(), fetch, family)

    def believe_clock(self) -> None:
        """Let the server believe its clock, as after a day; a new server deletes nothing for its age."""
        with self.database() as database:
            known_time.write(database, KnownTime(time.time(), doubted=None, held_seconds=0.0))

    @contextlib.contextmanager
    def database(self) -> Iterator[Connection]:
        """A transaction of our own in the server's database, as another process has it."""
        connector = engine_of(settings(self.data, **self.engine.settings(self.data)))
        try:
            with connector.begin() as connection:
                yield connection
        finally:
            connector.dispose()

    def scrape(self) -> Scrape:
        """Read /metrics."""
        text = self.client("ops").get("/metrics").text
        return Scrape(
            {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for metric in text_string_to_metric_families(text)
                for sample in metric.samples
            }
        )

    def close(self) -> None:
        """Close every client."""
        for client in self.clients:
            client.close()


def settings(data: Path, **changes: Any) -> ServerSettings:
    """Settings for a server on free loopback ports."""
    return ServerSettings(**{"data": data, "threads": 2, **FREE_PORTS, "drain_delay_seconds": 0, **changes})


@contextlib.contextmanager
def server_in_thread(directory: Path, engine: Engine = EMBEDDED, **changes: Any) -> Iterator[ServerHarness]:
    """A server in this process, on an event loop of its own, over real sockets, files and engines."""
    data, keys = directory / "data", directory / "keys"
    if not data.exists():
        initialise_trust(keys, data, datetime.now(UTC))
        engine.prepare(data)
    ready, stop = threading.Event(), threading.Event()
    started: list[dict[str, str]] = []

    async def serve() -> None:
        system = System(settings(data, **engine.settings(data), **changes), asyncio.get_running_loop(), LogCounts())
        async with system.running():
            started.append(system.addresses())
            ready.set()
            await asyncio.to_thread(stop.wait)

    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(lambda: uvloop.run(serve()))
        running.add_done_callback(lambda _: ready.set())
        ready.wait(60)
        if not started:
            running.result()
        harness = ServerHarness(data, keys, started[0], engine)
        try:
            yield harness
        finally:
            harness.close()
            stop.set()
            running.result(60)


def gained(harness: ServerHarness, before: Scrape, name: str, **labels: str) -> float:
    """How much a metric grew."""
    return harness.scrape().value(name, **labels) - before.value(name, **labels)
