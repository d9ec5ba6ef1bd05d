"""JSON bodies: read within limits, and never before what is to be checked first."""

import json
from collections.abc import Iterator

import pytest

from cloud_server.api.http.json_body import COMMAND_MAX_BYTES, JSON_MAX_BYTES
from shared.wire import ProblemCode
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, server_in_thread

pytestmark = pytest.mark.stateless
JSON = {"content-type": "application/json"}


def pieces(size: int) -> Iterator[bytes]:
    """A body of `size` bytes whose length is not declared."""
    for _ in range(size // 1024):
        yield b" " * 1024


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_a_command_must_say_that_it_is_json(harness: ServerHarness, content_type: str) -> None:
    answer = harness.client("operator").post(
        "/v1/claims", content=b'{"family": "digits"}', headers={"content-type": content_type}
    )
    assert_problem(answer, 415, ProblemCode.UNSUPPORTED_MEDIA_TYPE)


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_a_command_that_says_so_is_taken(harness: ServerHarness, content_type: str) -> None:
    answer = harness.client("operator").post(
        "/v1/claims", content=b'{"family": "digits"}', headers={"content-type": content_type}
    )
    assert answer.status_code == 201


def test_the_media_type_is_refused_before_the_length(harness: ServerHarness) -> None:
    answer = harness.client("operator").post("/v1/claims", content=bytes(COMMAND_MAX_BYTES + 1))
    assert_problem(answer, 415, ProblemCode.UNSUPPORTED_MEDIA_TYPE)


def test_a_command_is_refused_by_its_declared_length_and_while_it_arrives(harness: ServerHarness) -> None:
    operator = harness.client("operator")
    declared = operator.post("/v1/claims", content=bytes(COMMAND_MAX_BYTES + 1), headers=JSON)
    assert_problem(declared, 413, ProblemCode.TOO_LARGE)
    arriving = operator.post("/v1/claims", content=pieces(COMMAND_MAX_BYTES + 1024), headers=JSON)
    assert_problem(arriving, 413, ProblemCode.TOO_LARGE)
    longest = json.dumps({"family": "digits"}).encode().ljust(COMMAND_MAX_BYTES)
    assert operator.post("/v1/claims", content=longest, headers=JSON).status_code == 201


def test_a_devices_json_is_shorter(harness: ServerHarness, device: Device) -> None:
    device.http.headers.pop("authorization")
    enrol = device.http.post("/v1/devices", content=pieces(JSON_MAX_BYTES + 1024))
    assert_problem(enrol, 413, ProblemCode.TOO_LARGE)


def test_who_asks_is_found_out_before_the_body_is_looked_at(harness: ServerHarness) -> None:
    for body in (b"{", bytes(JSON_MAX_BYTES + 1)):
        answer = harness.client("device").put("/v1/frames/x.1/label", content=body)
        assert_problem(answer, 401, ProblemCode.INVALID_TOKEN)


def test_a_strangers_host_is_refused_before_the_body_is_looked_at(harness: ServerHarness) -> None:
    answer = harness.client("operator").post("/v1/claims", content=b"{", headers={"host": "evil.example"})
    assert_problem(answer, 421, ProblemCode.MISDIRECTED)
    assert "evil.example" in answer.json()["detail"]


def test_a_body_is_looked_at_before_what_its_path_names(device: Device) -> None:
    own = f"/v1/frames/{device.device_id}.1/label"
    assert_problem(device.http.put(own, content=b"{"), 400, ProblemCode.BAD_REQUEST)


@pytest.mark.parametrize(
    ("body", "where"),
    [(b"{", "body"), (b"\xff", "body"), (b'{"family": 5}', "family"), (b'{"family": "x", "more": 1}', "more")],
)
def test_the_first_field_that_is_wrong_is_named(harness: ServerHarness, body: bytes, where: str) -> None:
    answer = harness.client("operator").post("/v1/claims", content=body, headers=JSON)
    assert_problem(answer, 400, ProblemCode.BAD_REQUEST)
    assert answer.json()["detail"].startswith(f"{where}: ")


def test_json_counts_against_the_memory_of_all_bodies(tmp_path_factory: pytest.TempPathFactory) -> None:
    with server_in_thread(tmp_path_factory.mktemp("small"), bodies_max_bytes=1 << 20) as small:
        answer = small.client("operator").post("/v1/claims", content=b" " * ((1 << 20) + 1), headers=JSON)
        assert_problem(answer, 503, ProblemCode.QUEUE_FULL)
        assert small.client("operator").post("/v1/claims", json={"family": "digits"}).status_code == 201
