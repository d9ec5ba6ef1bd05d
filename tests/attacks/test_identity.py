"""Attacks on who is who: another device's token and frames, forged labels, headers that no device sends."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.wire import ProblemCode
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, server_in_thread


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHarness]:
    """A server with a family that has a bundle."""
    folder: Path = tmp_path_factory.mktemp("identity")
    write_bundle(folder / "v1", "digits", 1, tables(50), seed=1)
    with server_in_thread(folder) as harness:
        harness.publish(folder / "v1")
        harness.assign("digits", 1)
        yield harness


@pytest.fixture
def device(server: ServerHarness) -> Device:
    return server.enrol("digits")


@pytest.mark.parametrize("source", ["human", "sensor", "audit"])
def test_feedback_on_another_devices_frame_is_refused_as_if_there_were_none(
    server: ServerHarness, device: Device, source: str
) -> None:
    frame_id = server.enrol("digits").post(frame(tables(50))).json()["id"]
    label = {"label": "one", "source": source}
    forged = device.http.put(f"/v1/frames/{frame_id}/label", json=label)
    assert_problem(forged, 404, ProblemCode.NOT_FOUND)
    assert "dw-answered" not in forged.headers


@pytest.mark.parametrize("source", ["operator", "trainer", "HUMAN", "", None])
def test_feedback_of_a_forged_source_is_refused(device: Device, source: str | None) -> None:
    frame_id = device.post(frame(tables(50))).json()["id"]
    forged = device.http.put(f"/v1/frames/{frame_id}/label", json={"label": "one", "source": source})
    assert_problem(forged, 400, ProblemCode.BAD_REQUEST)


def test_what_is_posted_with_another_devices_token_is_that_devices(server: ServerHarness, device: Device) -> None:
    """A token is all that a server knows a device by: it is refused once it is revoked, and never reaches others."""
    thief = server.client("device", headers={"authorization": f"Bearer {device.token}"})
    stolen = Device(thief, "a-name-of-its-own", device.token, "digits")
    assert stolen.post(frame(tables(50)), 1).json()["id"] == f"{device.device_id}.1"
    assert device.post(frame(tables(50), 2), 1).status_code == 409
    server.client("operator").put(f"/v1/devices/{device.device_id}/revocation")
    assert_problem(stolen.post(frame(tables(50)), 2), 401, ProblemCode.INVALID_TOKEN)


@pytest.mark.parametrize("token", ["\xff" * 22, "\x80", "ÄÖÜ", "a" * 4000, "A" * 22, " ", "a b"])
def test_a_token_that_is_none_is_refused_in_whatever_letters(server: ServerHarness, token: str) -> None:
    with server.connect() as line:
        head = f"GET /v1/assignment HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        line.sendall(head.encode("latin-1"))
        assert line.makefile("rb").readline().split()[1] in (b"401", b"400")


@pytest.mark.parametrize("name", ["DW-Sequence", "Prefer", "If-None-Match", "X-Forwarded-For", "X-Request-Id"])
@pytest.mark.parametrize(
    "value", ["\xff\xfe", "ä" * 500, "9" * 500, ",," * 500], ids=["bytes", "letters", "digits", "list"]
)
def test_a_header_of_nonsense_ends_in_an_answer_and_the_next_request_is_served(
    server: ServerHarness, device: Device, name: str, value: str
) -> None:
    with server.connect() as line:
        body = frame(tables(50))
        head = f"POST /v1/frames HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {device.token}\r\n"
        head += f"{name}: {value}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n"
        head += "Connection: close\r\n" + ("" if name == "DW-Sequence" else "DW-Sequence: 5\r\n")
        line.sendall(head.encode("latin-1") + b"\r\n" + body)
        status = int(line.makefile("rb").readline().split()[1])
        assert status == (400 if name == "DW-Sequence" else 200)
    assert device.post(frame(tables(50)), 6).status_code == 200


def test_a_giant_header_is_refused_and_the_next_request_is_served(server: ServerHarness, device: Device) -> None:
    with server.connect() as line:
        line.sendall(b"GET /v1/assignment HTTP/1.1\r\nHost: x\r\nCookie: " + b"c" * (1 << 20))
        assert b" 400 " in line.makefile("rb").readline()
    assert device.post(frame(tables(50))).status_code == 200
