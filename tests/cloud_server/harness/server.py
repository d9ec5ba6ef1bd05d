"""A running server in this process, on an event loop of its own, with every way in."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import uvloop
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection

from cloud_server.app import System
from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.publishing import ModelFolder, initialise_trust, publish_folder
from cloud_server.open_storage import engine_of
from cloud_server.settings import ServerSettings
from tests.cloud_server.harness.devices import Device, joining
from tests.cloud_server.harness.engines import Embedded, Engine
from tests.cloud_server.harness.metrics import Scrape

EMBEDDED = Embedded()


FREE_PORTS = {"device_host": "127.0.0.1", "device_port": 0, "operator_port": 0, "ops_port": 0}


@dataclass
class ServerHarness:
    """A running server, its operator's keys, and ways in."""

    data: Path
    keys: Path
    addresses: dict[str, str]
    engine: Engine = field(default_factory=Embedded)
    clients: list[httpx.Client] = field(default_factory=list)

    def client(self, plane: str, **arguments: Any) -> httpx.Client:
        """A client of one plane; closed with the harness."""
        client = httpx.Client(base_url=self.addresses[plane], timeout=30, **arguments)
        self.clients.append(client)
        return client

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

    def publish(self, folder: Path) -> None:
        """Publish a bundle folder as the CLI does."""
        client = OperatorClient(self.addresses["operator"])
        with contextlib.closing(client):
            publish_folder(client, ModelFolder.read(folder), self.keys, datetime.now(UTC), lambda _step: None)

    def assign(self, family: str, counter: int) -> int:
        """Assign a bundle; returns the number."""
        answer = self.client("operator").post("/v1/assignments", json={"family": family, "counter": counter})
        return int(answer.json()["seq"])

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
    ready, stop = threading.Event(), threading.Event()
    started: list[dict[str, str]] = []

    async def serve() -> None:
        system = System(settings(data, **engine.settings(data), **changes), asyncio.get_running_loop())
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
