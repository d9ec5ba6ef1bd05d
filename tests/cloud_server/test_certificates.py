"""A server's certificate: read, renewed while it runs, and refused where it cannot be used."""

import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud_server.certificates import CertificateError, certificate_at
from tests.cloud_server.harness.certificates import write_certificate
from tests.cloud_server.harness.devices import Device, joining
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.process import ServerProcess
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until
from tests.system_packages import required


@dataclass
class TlsServer:
    """A server that speaks TLS on its device and operator planes, and the files of its certificate."""

    harness: ServerHarness
    certificate: Path
    key: Path

    def client(self, plane: str, **arguments: Any) -> httpx.Client:
        """A client that trusts the certificate as it was when it was made, and nothing else."""
        trusted = ssl.create_default_context(cafile=str(self.certificate))
        return self.harness.client(plane, verify=trusted, **arguments)

    def shown(self) -> str:
        """The name in the certificate that a new connection is shown."""
        required("openssl")
        url = httpx.URL(self.harness.addresses["device"])
        asked = ["openssl", "s_client", "-connect", f"{url.host}:{url.port}", "-showcerts"]
        run = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return run.stdout.partition("subject=")[2].partition("\n")[0].replace(" ", "")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TlsServer]:
    certificate, key = write_certificate(tmp_path / "tls", "first")
    settings: dict[str, Any] = {"tls_certificate": certificate, "tls_key": key, "operator_tls": True}
    with server_in_thread(tmp_path / "server", **settings) as harness:
        yield TlsServer(harness, certificate, key)


def enrol(server: TlsServer) -> Device:
    """A device that came in over TLS."""
    code = server.client("operator").post("/v1/claims", json={"family": "digits"}).json()["claim_code"]
    http = server.client("device")
    made = http.post("/v1/devices", json=joining(code)).json()
    http.headers["authorization"] = f"Bearer {made['token']}"
    return Device(http, made["device_id"], made["token"], made["family"])


def test_device_and_operator_plane_speak_tls_and_say_so(server: TlsServer) -> None:
    schemes = {plane: httpx.URL(address).scheme for plane, address in server.harness.addresses.items()}
    assert schemes == {"device": "https", "operator": "https", "ops": "http"}
    device = enrol(server)
    answers = [device.post(frame(tables(50))) for _ in range(3)]
    assert {answer.json()["code"] for answer in answers} == {"not-ready"}, "nothing is published, but it was asked"
    assert server.harness.scrape().value("dctwire_plane_open") == 0


def test_whoever_speaks_plain_http_or_trusts_another_certificate_gets_no_answer(
    server: TlsServer, tmp_path: Path
) -> None:
    url = httpx.URL(server.harness.addresses["device"])
    with pytest.raises(httpx.TransportError):
        httpx.get(url.copy_with(scheme="http"), timeout=60)
    other, _ = write_certificate(tmp_path / "other", "other")
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, verify=ssl.create_default_context(cafile=str(other)))
    wait_until(lambda: server.harness.scrape().value("dctwire_failed_handshakes_total") >= 1)


@pytest.mark.parametrize(("version", "is_spoken"), [("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)])
def test_tls_is_spoken_from_version_1_2_on(server: TlsServer, version: str, is_spoken: bool) -> None:
    required("openssl")
    url = httpx.URL(server.harness.addresses["device"])
    asked = ["openssl", "s_client", "-connect", f"{url.host}:{url.port}", version, "-cipher", "ALL:@SECLEVEL=0"]
    run = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert ("Cipher is (NONE)" not in run.stdout) == is_spoken


def test_a_renewed_certificate_is_shown_to_the_next_connection_and_old_ones_go_on(server: TlsServer) -> None:
    kept = server.client("device", limits=httpx.Limits(keepalive_expiry=None))
    assert kept.get("/v1/assignment").status_code == 401
    expiry = server.harness.scrape().value("dctwire_certificate_expiry_seconds")
    write_certificate(server.certificate.parent, "second", days=60)
    wait_until(lambda: "CN=second" in server.shown())
    assert kept.get("/v1/assignment").status_code == 401, "it still trusts the first one alone"
    assert server.client("device").get("/v1/assignment").status_code == 401
    assert server.harness.scrape().value("dctwire_certificate_expiry_seconds") > expiry + 20 * 86_400


def test_a_broken_new_pair_keeps_the_old_one(server: TlsServer, tmp_path: Path) -> None:
    _, foreign_key = write_certificate(tmp_path / "other", "other")
    server.key.write_bytes(foreign_key.read_bytes())
    wait_until(lambda: server.harness.scrape().value("dctwire_certificate_failures") == 1)
    assert "CN=first" in server.shown()
    server.key.unlink()
    wait_until(lambda: server.harness.scrape().value("dctwire_certificate_failures") == 2)
    assert "CN=first" in server.shown()


@pytest.mark.parametrize(("days", "begun_days"), [(-1, 30), (30, -1)], ids=["expired", "not yet valid"])
def test_a_new_pair_whose_time_is_not_now_keeps_the_old_one(tmp_path: Path, days: int, begun_days: int) -> None:
    held = certificate_at(*write_certificate(tmp_path, days=20))
    assert held is not None
    ends = held.expires_at
    write_certificate(tmp_path, "another", days, begun_days)
    held.refresh(time.time())
    assert (held.expires_at, held.failures) == (ends, 1)


@pytest.mark.parametrize("damage", ["empty", "missing", "foreign", "encrypted", "one alone"])
def test_a_server_does_not_start_with_a_pair_that_cannot_be_used(tmp_path: Path, damage: str) -> None:
    certificate, key = write_certificate(tmp_path / "tls")
    if damage == "empty":
        certificate.write_bytes(b"")
    elif damage == "missing":
        key.unlink()
    elif damage == "foreign":
        key.write_bytes(write_certificate(tmp_path / "other")[1].read_bytes())
    elif damage == "encrypted":
        required("openssl")
        plain = tmp_path / "plain.pem"
        key.rename(plain)
        encrypt = ["openssl", "pkey", "-in", str(plain), "-aes256", "-passout", "pass:secret", "-out", str(key)]
        subprocess.run(encrypt, check=True, capture_output=True)
    with pytest.raises(CertificateError, match="cannot be spoken"):
        certificate_at(certificate, None if damage == "one alone" else key)


def test_an_operator_plane_on_loopback_stays_plain_unless_it_is_told_to_speak_tls(tmp_path: Path) -> None:
    certificate, key = write_certificate(tmp_path / "tls")
    with server_in_thread(tmp_path / "server", tls_certificate=certificate, tls_key=key) as harness:
        assert harness.addresses["device"].startswith("https://")
        assert harness.addresses["operator"].startswith("http://")


@pytest.mark.parametrize(
    ("changes", "is_open"),
    [({"device_host": "0.0.0.0"}, 1), ({"device_host": "0.0.0.0", "behind_proxy": True}, 0), ({}, 0)],
)
def test_a_plane_that_others_reach_without_tls_is_said_to_be_open(
    tmp_path: Path, changes: dict[str, Any], is_open: int
) -> None:
    with server_in_thread(tmp_path / "server", **changes) as harness:
        assert harness.scrape().value("dctwire_plane_open", plane="device") == is_open


def test_a_server_without_tls_warns_at_every_start(tmp_path: Path) -> None:
    for _ in range(2):
        server = ServerProcess(tmp_path, device_host="0.0.0.0")
        server.await_event("plane-without-tls")
        server.kill()
