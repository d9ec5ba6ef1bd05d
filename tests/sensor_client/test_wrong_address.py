"""Enrolling at an address where no device plane answers: what was met is said, and what to type."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.sensor_client.device_plane import CLAIM, Answer, DevicePlane
from tests.sensor_client.program import sensor
from tests.sensor_client.signed_bundles import Publisher, make_bundle


class Quiet(SimpleHTTPRequestHandler):
    """A web server of files, without its log."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        return


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def website(tmp_path: Path) -> Iterator[int]:
    """The port of a web server that has nothing to do with us."""
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Quiet)) as port:
        yield port


@pytest.fixture
def tls_website(tmp_path: Path) -> Iterator[int]:
    """The port of a web server that speaks TLS, under a certificate that it signed itself."""
    key = Ed25519PrivateKey.generate()
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1)
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + builder.sign(key, None).public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server) as port:
        yield port


@pytest.fixture
def banner() -> Iterator[int]:
    """The port of a server that greets every caller with a line that is no HTTP, as SSH does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        stop = threading.Event()

        def greet() -> None:
            while not stop.is_set():
                try:
                    caller = listener.accept()[0]
                except TimeoutError:
                    continue
                with caller:
                    caller.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                    caller.settimeout(10)
                    caller.recv(4096)  # what was sent is taken, or closing would reset the connection

        thread = threading.Thread(target=greet)
        thread.start()
        yield listener.getsockname()[1]
        stop.set()
        thread.join()


def enrolled_at(url: str, folder: Path, publisher: Publisher) -> tuple[int, str]:
    """Exit status, and what the program says when it is to enrol at `url`."""
    (folder / "root.json").write_bytes(publisher.root)
    options = ("--claim", CLAIM, "--state", folder / "device", "--root", folder / "root.json")
    told = sensor("enrol", "--server", url, *options)
    assert not (folder / "device" / "identity.json").exists()
    return told.returncode, told.stderr


def test_a_website_is_told_from_a_server_of_ours(website: int, tmp_path: Path, publisher: Publisher) -> None:
    code, told = enrolled_at(f"http://127.0.0.1:{website}", tmp_path, publisher)
    assert code == 5
    assert "something else than a dctwire server" in told and "404" in told and "http://host:8000" in told


def test_a_device_plane_whose_description_is_hidden_is_no_wrong_address(
    plane: DevicePlane, tmp_path: Path, publisher: Publisher
) -> None:
    plane.scripted.append(("/openapi.json", Answer(404, {"Content-Type": "text/html"}, b"<h1>Not here</h1>")))
    publisher.publish(make_bundle(1))
    code, told = enrolled_at(plane.url, tmp_path, Publisher(tmp_path / "other"))
    assert code == 2 and "--root" in told and "something else" not in told


def test_https_to_a_plane_without_tls_is_told_the_right_scheme(
    plane: DevicePlane, tmp_path: Path, publisher: Publisher
) -> None:
    code, told = enrolled_at(plane.url.replace("http:", "https:"), tmp_path, publisher)
    assert code == 2
    assert "speaks plain HTTP" in told and f"give --server {plane.url}\n" in told
    assert plane.asked("/v1/devices") == []


def test_http_to_a_port_with_tls_is_told_the_right_scheme(
    tls_website: int, tmp_path: Path, publisher: Publisher
) -> None:
    code, told = enrolled_at(f"http://127.0.0.1:{tls_website}", tmp_path, publisher)
    assert code == 2
    assert "speaks TLS" in told and f"give --server https://127.0.0.1:{tls_website}\n" in told


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_is_no_http_at_all_is_said_so(banner: int, tmp_path: Path, publisher: Publisher, scheme: str) -> None:
    code, told = enrolled_at(f"{scheme}://127.0.0.1:{banner}", tmp_path, publisher)
    assert code == 5
    assert ("no HTTP" if scheme == "http" else "no TLS") in told


def test_a_certificate_that_nobody_vouches_for_is_named(tls_website: int, tmp_path: Path, publisher: Publisher) -> None:
    code, told = enrolled_at(f"https://127.0.0.1:{tls_website}", tmp_path, publisher)
    assert "certificate" in told and code == 5, told
