"""Leaving: a server that is told to stop is unready first, answers everything it accepted, and resets nobody."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud_server.console.stream import STREAMS_EACH
from shared.wire import BATCH_MEDIA_TYPE
from tests.cloud_server.harness.console import logged_in
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.frames import batch_with_scans, frame, tables
from tests.cloud_server.harness.process import ServerProcess

pytestmark = pytest.mark.system

CONNECTIONS = 64


@contextlib.contextmanager
def serving(directory: Path, folder: Path, **changes: Any) -> Iterator[tuple[ServerProcess, Device]]:
    """A server process with a bundle, and a device; killed afterwards if it still runs."""
    server = ServerProcess(directory, **changes)
    try:
        server.harness.publish(folder)
        yield server, server.harness.enrol("digits")
    finally:
        server.process.kill()
        server.finish()


def upload(device: Device, sequence: int) -> bytes:
    """A whole request: every fourth is a batch."""
    if sequence % 4:
        body, rest = frame(tables(50)), f"s HTTP/1.1\r\nDW-Sequence: {sequence}\r\nContent-Type: image/jpeg"
    else:
        body = batch_with_scans(50, range(8), first_sequence=sequence).to_bytes()
        rest = f"s:batch HTTP/1.1\r\nContent-Type: {BATCH_MEDIA_TYPE}"
    head = f"POST /v1/frame{rest}\r\nHost: x\r\nAuthorization: Bearer {device.token}\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """One answer: its status, and whether it says that it is the connection's last."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, _, after = head.partition(b"content-length: ")
    await reader.readexactly(int(after.split(b"\r\n")[0]))
    return int(head.split()[1]), b"connection: close" in head


class Clients:
    """Keep-alive clients that upload without pause until they are told that a connection ends, and how it ended."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._address = httpx.URL(str(device.http.base_url))
        self._sequences = iter(range(1000, 10**9, 10))
        self.statuses: list[int] = []
        self.goodbyes = 0
        self.resets = 0
        self.busy = asyncio.Event()

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection."""
        reader, writer = await asyncio.open_connection(self._address.host, self._address.port)
        try:
            yield reader, writer
        finally:
            writer.close()

    async def converse(self) -> None:
        """Upload over one connection, as long as it lasts."""
        try:
            async with self.connected() as (reader, writer):
                is_last = False
                while not is_last:
                    writer.write(upload(self._device, next(self._sequences)))
                    status, is_last = await read_answer(reader)
                    self.statuses.append(status)
                    if len(self.statuses) > 4 * CONNECTIONS:
                        self.busy.set()
                assert await reader.read() == b""
                self.goodbyes += 1
        except (ConnectionResetError, asyncio.IncompleteReadError):
            self.resets += 1


async def see_unready(ops: str) -> list[int]:
    """Ask for readiness until it is gone; every answer."""
    seen = []
    async with httpx.AsyncClient(base_url=ops) as client:
        while 503 not in seen:
            seen.append((await client.get("/readyz")).status_code)
    return seen


async def stop_under_load(server: ServerProcess, device: Device) -> Clients:
    """64 busy clients, a watcher of readiness, SIGTERM; and somebody who comes while the server is leaving."""
    clients = Clients(device)
    conversations = [asyncio.ensure_future(clients.converse()) for _ in range(CONNECTIONS)]
    await clients.busy.wait()
    watching = asyncio.ensure_future(see_unready(server.harness.addresses["ops"]))
    server.process.terminate()
    assert set((await watching)[:-1]) <= {200}
    async with clients.connected() as (reader, writer):
        writer.write(upload(device, 1))
        assert await read_answer(reader) == (200, True)
    await asyncio.gather(*conversations)
    return clients


def test_a_stop_under_load_resets_nobody_and_is_announced_before_it_happens(
    tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    with serving(tmp_path, bundle_folders[1], drain_delay_seconds=1) as (server, device):
        clients = asyncio.run(stop_under_load(server, device))
        assert server.process.wait(30) == 0
    assert (clients.resets, clients.goodbyes) == (0, CONNECTIONS)
    assert set(clients.statuses) == {200}


@pytest.fixture
def leaving(tmp_path: Path, bundle_folders: dict[int, Path]) -> Iterator[tuple[ServerProcess, Device]]:
    """A server that stops listening as soon as it is told to stop, and would wait a minute for its last answers."""
    with serving(tmp_path, bundle_folders[1], drain_max_seconds=60) as started:
        yield started


def stop_listening(server: ServerProcess, device: Device) -> None:
    """SIGTERM, and wait until connections that nobody uses are closed."""
    with server.harness.connect() as idle:
        idle.sendall(upload(device, 9))
        assert idle.recv(65536).startswith(b"HTTP/1.1 200")
        server.process.terminate()
        answers(idle)


def answers(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("sent", [0, 1, 50], ids=["nothing", "a byte", "half a head"])
def test_a_request_that_has_only_begun_is_answered(leaving: tuple[ServerProcess, Device], sent: int) -> None:
    server, device = leaving
    request = upload(device, 1)
    with server.harness.connect() as connection:
        connection.sendall(request[:sent])
        stop_listening(server, device)
        connection.sendall(request[sent:])
        answer = answers(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in answer
    assert server.process.wait(30) == 0


def test_pipelined_requests_are_all_answered(leaving: tuple[ServerProcess, Device]) -> None:
    server, device = leaving
    with server.harness.connect() as connection:
        connection.sendall(upload(device, 1) + upload(device, 2) + upload(device, 3)[:-1])
        stop_listening(server, device)
        connection.sendall(upload(device, 3)[-1:])
        answer = answers(connection)
    assert answer.count(b"HTTP/1.1 200") == 3
    assert answer.count(b"connection: close") == 1
    assert server.process.wait(30) == 0


def hold(server: ServerProcess, device: Device) -> socket.socket:
    """A connection whose body never ends."""
    connection = server.harness.connect()
    connection.sendall(upload(device, 1).replace(b"\r\nHost", b"\r\nExpect: 100-continue\r\nHost")[:-1])
    assert connection.recv(100).startswith(b"HTTP/1.1 100")
    return connection


def test_a_second_signal_ends_the_wait(leaving: tuple[ServerProcess, Device]) -> None:
    server, device = leaving
    with hold(server, device):
        server.process.send_signal(signal.SIGINT)
        server.await_event("drain-started")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0


def test_the_drain_has_a_deadline(tmp_path: Path, bundle_folders: dict[int, Path]) -> None:
    with serving(tmp_path, bundle_folders[1], drain_max_seconds=1) as (server, device), hold(server, device) as held:
        server.process.terminate()
        assert server.process.wait(30) == 0
        with contextlib.suppress(ConnectionResetError):
            assert held.recv(100) == b""


def test_open_pages_of_the_console_hold_up_no_drain(tmp_path: Path, bundle_folders: dict[int, Path]) -> None:
    with serving(tmp_path, bundle_folders[1], drain_max_seconds=3600) as (server, _):
        console = logged_in(server.harness)
        with contextlib.ExitStack() as stack:
            streams = [
                stack.enter_context(console.http.stream("GET", "/console/stream/overview")).iter_lines()
                for _ in range(STREAMS_EACH)
            ]
            for lines in streams:
                next(line for line in lines if line.startswith("event: part"))
            server.process.terminate()
            for lines in streams:  # each ends as it should, not by a reset
                list(lines)
            assert server.process.wait(60) == 0
