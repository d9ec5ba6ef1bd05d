"""A camera whose enrolment the server answered, and which never heard the answer: it asks again and is the same one."""

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import pytest

from sensor_client.state_directory import StateDirectory
from tests.cloud_server.harness.devices import joining
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.sensor_client.program import sensor

CLIENT = Path(__file__).parents[2] / "examples/client.py"


class LossyLine:
    """A proxy before a server. The first so many answers to enrolments are lost, each with its connection."""

    def __init__(self, server: str, losses: int = 1) -> None:
        line = self
        self.answers: list[bytes] = []
        self._losses = losses
        self._server = urlsplit(server).netloc

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                line.carry(self)

            do_POST = do_GET  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                pass

        self._listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._listener.daemon_threads = True
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._listener.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown()
        self._thread.join()
        self._listener.server_close()

    def carry(self, request: BaseHTTPRequestHandler) -> None:
        """Pass a request on, and its answer back unless that is to be lost."""
        server = http.client.HTTPConnection(self._server, timeout=30)
        body = request.rfile.read(int(request.headers.get("content-length", 0)))
        server.request(request.command, request.path, body, dict(request.headers))
        answer = server.getresponse()
        data = answer.read()
        server.close()
        if request.path == "/v1/devices":
            self.answers.append(data)
            if len(self.answers) <= self._losses:
                request.close_connection = True
                return
        request.send_response(answer.status)
        request.send_header("content-type", answer.headers["content-type"])
        request.send_header("content-length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHarness]:
    """A server; it needs no bundle to let devices in."""
    with server_in_thread(tmp_path_factory.mktemp("server")) as harness:
        yield harness


@pytest.fixture
def claim(server: ServerHarness) -> str:
    """A new claim code."""
    return str(server.client("operator").post("/v1/claims", json={"family": "digits"}).json()["claim_code"])


def device_ids(server: ServerHarness) -> list[str]:
    """Every device that the server knows."""
    return [row["device_id"] for row in server.client("operator").get("/v1/devices").json()["devices"]]


def test_a_sensor_that_never_heard_its_enrolment_enrols_again_and_is_the_same_device(
    server: ServerHarness, claim: str, tmp_path: Path
) -> None:
    options = ("--claim", claim, "--state", tmp_path / "state", "--root", server.keys / "root.json")
    before = device_ids(server)
    with LossyLine(server.addresses["device"], losses=2) as line:
        lost = [sensor("enrol", "--server", line.url, *options) for _ in range(2)]
        made = sensor("enrol", "--server", line.url, *options)

    assert [told.returncode for told in lost] == [5, 5], lost[0].stderr
    assert made.returncode == 0, made.stderr
    identity = StateDirectory(tmp_path / "state").identity()
    assert identity is not None
    assert [json.loads(answer) for answer in line.answers] == [identity.enrolment.model_dump()] * 3
    assert set(device_ids(server)) - set(before) == {identity.enrolment.device_id}
    headers = {"authorization": f"Bearer {identity.enrolment.token}"}
    assert server.client("device", headers=headers).get("/v1/assignment").json()["code"] == "no-assignment"


def test_a_sensor_whose_identity_was_lost_gets_it_back_with_the_code_that_it_used(
    server: ServerHarness, claim: str, tmp_path: Path
) -> None:
    state = StateDirectory(tmp_path / "state")
    options = ("--claim", claim, "--state", state.path, "--root", server.keys / "root.json")
    assert sensor("enrol", "--server", server.addresses["device"], *options).returncode == 0
    first = state.identity()
    both = (state.identity_file, state.path / "identity-copy.json")
    for file in both:
        file.write_bytes(b"")
    damaged = sensor("enrol", "--server", server.addresses["device"], *options)
    for file in both:
        file.unlink()
    again = sensor("enrol", "--server", server.addresses["device"], *options)

    assert (damaged.returncode, again.returncode) == (0, 0), damaged.stderr + again.stderr
    kept = state.identity()
    assert kept is not None and first is not None
    assert kept.enrolment == first.enrolment


def test_another_device_cannot_use_the_code_of_one_that_never_heard_its_enrolment(
    server: ServerHarness, claim: str, tmp_path: Path
) -> None:
    options = ("--claim", claim, "--state", tmp_path / "state", "--root", server.keys / "root.json")
    with LossyLine(server.addresses["device"]) as line:
        lost = sensor("enrol", "--server", line.url, *options)
        stranger = server.client("device").post("/v1/devices", json=joining(claim))
        made = sensor("enrol", "--server", line.url, *options)

    assert (lost.returncode, stranger.status_code, made.returncode) == (5, 401, 0)


def test_the_example_client_hears_the_answer_that_was_lost(server: ServerHarness, claim: str, tmp_path: Path) -> None:
    state = tmp_path / "device.json"
    with LossyLine(server.addresses["device"]) as line:
        words = ["--state", str(state), "enrol", "--server", line.url, "--claim", claim]
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(CLIENT), *words], capture_output=True, text=True, check=False, timeout=60
        )

    assert done.returncode == 0, done.stderr
    assert [json.loads(answer)["device_id"] for answer in line.answers] == [
        json.loads(state.read_text())["device_id"]
    ] * 2
