"""What one connection may ask of a server: bounded, whoever asks, and nobody else notices."""

import json
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cloud_server.api.http.limits import HEAD_MAX_BYTES, PIPELINED_MAX
from shared.wire import ProblemCode
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

_FLOOD_BYTES = 16 * HEAD_MAX_BYTES
"""More than is read from a socket at once: what came with a body's last byte is not held against it."""
_SERVER_METADATA = b"GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, bundle_folders: dict[int, Path]) -> Iterator[ServerHarness]:
    """A server that gives up after a second on a peer that takes nothing."""
    with server_in_thread(tmp_path_factory.mktemp("floods"), write_max_seconds=1) as harness:
        harness.publish(bundle_folders[1])
        yield harness


@pytest.fixture
def camera(server: ServerHarness) -> Device:
    """A device of its."""
    return server.enrol("digits")


def everything(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_requests_before_their_answers_are_answered_in_order(server: ServerHarness, camera: Device) -> None:
    data = frame(tables(50))
    post = (
        b"POST /v1/frames HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nDW-Sequence: %d\r\nContent-Length: %d\r\n"
    )
    posts = [post % (camera.token.encode(), number, len(data)) for number in range(PIPELINED_MAX)]
    posts[-1] += b"Connection: close\r\n"
    with server.connect() as connection:
        connection.sendall(b"".join(head + b"\r\n" + data for head in posts))
        raw = everything(connection)
    ids = re.findall(rb'"id":"([^"]+)"', raw)
    assert ids == [f"{camera.device_id}.{number}".encode() for number in range(PIPELINED_MAX)]


def test_a_connection_that_asks_too_much_at_once_gets_the_first_answers_and_the_door(server: ServerHarness) -> None:
    with server.connect() as connection:
        connection.sendall(_SERVER_METADATA * 3000)
        raw = everything(connection)
    assert raw.count(b"HTTP/1.1 200 OK") == PIPELINED_MAX
    assert raw.count(b"connection: close") == 1
    assert httpx.get(f"{server.addresses['device']}/v2").status_code == 200


@pytest.mark.parametrize("flood", [b"x: " + b"y" * 1000 + b"\r\n", b"y" * 1000], ids=["many", "one endless"])
@pytest.mark.parametrize("framing", [b"0\r\n", b"5;"], ids=["trailers", "a chunk's extensions"])
def test_a_flood_around_a_body_is_cut_off(server: ServerHarness, flood: bytes, framing: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(b"POST /v1/devices HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(framing + b"x: ")
        connection.sendall(flood * (_FLOOD_BYTES // len(flood)))
        raw = everything(connection)
    assert raw.startswith(b"HTTP/1.1 400 ")
    assert json.loads(raw.partition(b"\r\n\r\n")[2])["code"] == ProblemCode.BAD_REQUEST


def test_a_trailer_is_no_header(server: ServerHarness, camera: Device) -> None:
    data = frame(tables(50))
    with server.connect() as connection:
        connection.sendall(
            b"POST /v1/frames HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nDW-Sequence: 7\r\n"
            b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"%x\r\n%s\r\n0\r\nDW-Sequence: 8\r\nPrefer: return=minimal\r\n\r\n"
            % (camera.token.encode(), len(data), data)
        )
        raw = everything(connection)
    assert json.loads(raw.partition(b"\r\n\r\n")[2])["id"] == f"{camera.device_id}.7"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has TCP_USER_TIMEOUT")
def test_a_client_that_reads_no_answers_loses_its_connection(server: ServerHarness) -> None:
    url = httpx.URL(server.addresses["device"])
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect((url.host, url.port))
        with pytest.raises(ConnectionError):
            while True:
                connection.sendall(_SERVER_METADATA * (PIPELINED_MAX // 2))
