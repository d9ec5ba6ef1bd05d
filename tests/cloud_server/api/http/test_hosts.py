"""What a server is called, and that nobody is answered who calls it otherwise, on any plane."""

import socket
from pathlib import Path
from typing import Any

import pytest

from cloud_server.api.http.hosts import REMEMBERED_MAX, HostNames
from shared.wire import ProblemCode
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import server_in_thread

PATHS = {"device": "/v1/assignment", "operator": "/v1/bundles", "ops": "/metrics"}


@pytest.mark.parametrize(
    "host",
    [
        b"127.0.0.1:8000",
        b"[::1]:8000",
        b"[::1]",
        b"10.0.0.7",
        b"localhost:8000",
        b"server",
        b"server:",
        b"[fe80::1]:80",
    ],
)
def test_addresses_and_names_without_a_dot_are_ours(host: bytes) -> None:
    assert HostNames("", "device_hosts").accepts(host)


@pytest.mark.parametrize(
    "host",
    [b"evil.example", b"127.0.0.1.evil.example:80", b"", b":8000", b"a.b", b"1.2.3", b"[::1].evil.example", b"[::1]x"],
)
def test_a_name_with_a_dot_is_ours_only_where_it_is_set(host: bytes) -> None:
    assert not HostNames("dctwire.example", "device_hosts").accepts(host)
    assert HostNames("dctwire.example", "device_hosts").accepts(b"DCTwire.example:443")
    assert HostNames("x.example, dctwire.example", "device_hosts").accepts(b"dctwire.example")
    assert HostNames("*", "device_hosts").accepts(host)


@pytest.mark.parametrize(
    "host",
    [b"127.0.0.1:8000.evil.example", b"server:x", b"[::1]:8000.evil.example", b"localhost:80:80", b"10.0.0.7: 80"],
)
def test_what_follows_the_name_is_a_port_and_nothing_else(host: bytes) -> None:
    assert not HostNames("server", "device_hosts").accepts(host)


def test_a_flood_of_names_is_not_remembered() -> None:
    names = HostNames("*", "device_hosts")
    assert all(names.accepts(b"%d.example" % number) for number in range(2 * REMEMBERED_MAX))
    assert len(names._accepted) == REMEMBERED_MAX


@pytest.mark.parametrize("plane", PATHS)
def test_no_plane_answers_to_a_strangers_name(tmp_path: Path, plane: str) -> None:
    hosts: dict[str, Any] = {f"{plane}_hosts": "ours.example"}
    with server_in_thread(tmp_path, **hosts) as harness:
        client, path = harness.client(plane), PATHS[plane]
        answer = client.get(path, headers={"host": "evil.example"})
        assert_problem(answer, 421, ProblemCode.MISDIRECTED)
        assert f"DCTWIRE_SERVER_{plane.upper()}_HOSTS" in answer.json()["detail"]
        assert client.get(path, headers={"host": "ours.example:443"}).status_code in (200, 401)
        assert client.get(path).status_code in (200, 401)


def test_a_host_is_looked_at_in_every_request_of_a_connection(tmp_path: Path) -> None:
    with server_in_thread(tmp_path) as harness, harness.connect() as connection:
        connection.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read(connection).startswith(b"HTTP/1.1 404 ")
        connection.sendall(b"GET /nowhere HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        assert read(connection).startswith(b"HTTP/1.1 421 ")


def read(connection: socket.socket) -> bytes:
    """One answer with a JSON body."""
    received = b""
    while not received.endswith(b"}") and (piece := connection.recv(65536)):
        received += piece
    return received
