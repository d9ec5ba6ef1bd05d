"""The handshake before HTTP: it has a deadline and a place, and what comes behind it is answered to the end."""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cloud_server.harness.certificates import write_certificate
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until

GET = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
PLACES = 8


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return write_certificate(tmp_path / "tls")


@pytest.fixture
def harness(tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[ServerHarness]:
    """A server with few places and little patience."""
    limits = {"tls_certificate": certificate[0], "tls_key": certificate[1], "connections_max": PLACES}
    with server_in_thread(tmp_path / "server", **limits, head_max_seconds=1) as harness:  # type: ignore[arg-type]
        yield harness


def trusting(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate[0]))


def test_a_handshake_that_is_never_finished_ends(harness: ServerHarness) -> None:
    with harness.connect() as silent, harness.connect() as begun:
        begun.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
        assert ended(silent)
        assert ended(begun)
    wait_until(lambda: harness.scrape().value("dctwire_failed_handshakes_total") == 2)


def test_handshakes_that_are_never_finished_keep_nobody_out(
    harness: ServerHarness, certificate: tuple[Path, Path]
) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(5 * PLACES):
            stack.enter_context(harness.connect())
        answer = httpx.get(f"{harness.addresses['device']}/nowhere", verify=trusting(certificate), timeout=30)
    assert answer.status_code == 404


def test_a_request_in_the_same_segment_as_the_end_of_the_handshake_is_answered(
    harness: ServerHarness, certificate: tuple[Path, Path]
) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting(certificate).wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with harness.connect() as connection:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(65536))
        tls.write(GET)
        connection.sendall(outgoing.read())  # Finished, and the request
        received = b""
        while b"}" not in received:
            with contextlib.suppress(ssl.SSLWantReadError):
                received += tls.read(65536)
                continue
            incoming.write(connection.recv(65536))
    assert received.startswith(b"HTTP/1.1 404 ")


def test_a_large_body_that_is_refused_gets_its_answer_over_tls(
    harness: ServerHarness, certificate: tuple[Path, Path]
) -> None:
    with httpx.Client(verify=trusting(certificate), timeout=30) as client:
        headers = {"authorization": "Bearer nobody", "content-type": "image/jpeg", "dw-sequence": "1"}
        answer = client.post(f"{harness.addresses['device']}/v1/frames", content=bytes(4 << 20), headers=headers)
    assert answer.json()["code"] == "invalid-token"


def ended(connection: socket.socket) -> bool:
    """Whether the server ends a connection on which nothing more is sent."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    return True
