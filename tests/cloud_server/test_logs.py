"""What a server writes about itself: a line for each refusal, fault and operator's call, bounded, without secrets."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from cloud_server.logs import EVENTS_NAMED_MAX, LINES_A_SECOND, LineLimit, LineWriter, LogCounts
from shared.wire import ProblemCode
from tests.cloud_server.harness.devices import joining
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.process import ServerProcess

Line = dict[str, Any]


def lines(log: str) -> list[Line]:
    """Every line, which must be a JSON object with the members all of them have."""
    read = [json.loads(line) for line in log.splitlines()]
    assert all({"event", "level", "timestamp"} <= line.keys() for line in read)
    return read


@pytest.fixture
def server(tmp_path: Path, bundle_folders: dict[int, Path]) -> Iterator[ServerProcess]:
    """A server process with a bundle; whoever uses it reads its log."""
    server = ServerProcess(tmp_path)
    try:
        server.harness.publish(bundle_folders[1])
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def log_of(server: ServerProcess) -> list[Line]:
    """Stop the server; everything it wrote."""
    server.process.terminate()
    return lines(server.finish()[1])


def refusals(log: list[Line]) -> list[Line]:
    """The lines of refused requests; publishing asks for what is not there yet, which is not ours here."""
    return [
        line for line in log if line["event"] == "request-refused" and line.get("plane") != "dctwire operator plane"
    ]


def test_warnings_and_errors_are_counted_by_event_and_other_lines_are_not() -> None:
    counts = LogCounts()
    for level, event in (("warning", "late"), ("error", "late"), ("warning", "late"), ("info", "started")):
        assert counts(None, "", {"level": level, "event": event}) == {"level": level, "event": event}
    assert counts.events() == {("warning", "late"): 2, ("error", "late"): 1}


def test_so_many_kinds_of_events_are_counted_by_name_and_the_rest_together() -> None:
    counts = LogCounts()
    for number in range(EVENTS_NAMED_MAX + 3):
        counts(None, "", {"level": "error", "event": f"event-{number}"})
    counts(None, "", {"level": "error", "event": "event-0"})
    told = counts.events()
    assert told["error", "event-0"] == 2
    assert told["error", "other"] == 3
    assert len(told) == EVENTS_NAMED_MAX + 1


def test_a_refusal_is_logged_under_the_id_that_its_problem_names(server: ServerProcess) -> None:
    device = server.harness.enrol("digits")
    problem = device.post(b"no jpeg").json()
    (line,) = refusals(log_of(server))
    assert problem["instance"] == f"urn:dctwire:request:{line['request_id']}"
    assert len(line["request_id"]) == 16
    assert line["code"] == problem["code"] == ProblemCode.NOT_A_JPEG
    assert (line["status"], line["method"], line["route"]) == (415, "POST", "/v1/frames")
    assert (line["client"], line["detail"]) == ("127.0.0.1", problem["detail"])


def test_what_each_device_meets_when_all_is_well_is_no_warning(server: ServerProcess) -> None:
    device = server.harness.enrol("unpublished")
    assert device.http.get("/tuf/2.root.json").status_code == 404
    assert device.http.get("/v1/assignment").status_code == 404
    assert device.http.get("/tuf/unpublished/9.targets.json").status_code == 404
    assert [line["level"] for line in refusals(log_of(server))] == ["info", "info", "warning"]


def test_a_client_may_name_its_request_if_the_name_is_harmless(server: ServerProcess) -> None:
    device = server.harness.enrol("digits")
    named = device.post(b"no jpeg", headers={"x-request-id": "camera-7.42_a"}).json()["instance"]
    unsafe = [
        device.post(b"no jpeg", headers={"x-request-id": name}).json()["instance"] for name in ("a b", "x" * 65, '"')
    ]
    answered = device.post(frame(tables(50)), headers={"x-request-id": "camera-7.43"})
    ids = [line["request_id"] for line in refusals(log_of(server))]
    assert named == "urn:dctwire:request:camera-7.42_a"
    assert [f"urn:dctwire:request:{name}" for name in ids] == [named, *unsafe]
    assert all(len(name) == 16 for name in ids[1:])
    assert "x-request-id" not in answered.headers


def test_bytes_that_are_no_http_are_logged_under_the_id_of_their_problem(server: ServerProcess) -> None:
    with server.harness.connect() as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")[2]
    (line,) = refusals(log_of(server))
    assert json.loads(body)["instance"] == f"urn:dctwire:request:{line['request_id']}"


def test_every_call_of_an_operator_is_logged_with_its_outcome(server: ServerProcess) -> None:
    operator = server.harness.client("operator")
    operator.post("/v1/assignments", json={"family": "digits", "counter": 1})
    operator.post("/v1/assignments", json={"family": "digits", "counter": 9}, headers={"x-request-id": "second"})
    operator.get("/v1/devices")
    operator.get("/nowhere")
    calls = [line for line in log_of(server) if line["event"] == "operator-call-answered"][-4:]
    assert [(call["method"], call["route"], call["status"]) for call in calls] == [
        ("POST", "/v1/assignments", 201),
        ("POST", "/v1/assignments", 404),
        ("GET", "/v1/devices", 200),
        ("GET", "other", 404),
    ]
    assert [(call["family"], call["counter"]) for call in calls[:2]] == [("digits", 1), ("digits", 9)]
    assert calls[1]["request_id"] == "second"
    assert {call["client"] for call in calls} == {"127.0.0.1"}


def test_a_call_about_a_token_is_logged_with_that_one_and_with_the_one_that_it_was_made_with(
    server: ServerProcess,
) -> None:
    operator = server.harness.client("operator")
    (own,) = operator.get("/v1/tokens").json()["tokens"]
    assert operator.delete("/v1/tokens/00000000").status_code == 404
    call = [line for line in log_of(server) if line["event"] == "operator-call-answered"][-1]
    assert (call["token_id"], call["caller_token_id"]) == ("00000000", own["id"])


def test_a_life_is_told_by_its_events_and_holds_no_secret(server: ServerProcess) -> None:
    claim = server.harness.client("operator").post("/v1/claims", json={"family": "digits"}).json()["claim_code"]
    secret = joining(claim)["secret"]
    device = server.harness.enrol("digits")
    http = server.harness.client("device")
    http.post("/v1/devices", json={"claim_code": claim, "more": 1})
    http.post("/v1/devices", json={"claim_code": [claim]})
    http.post("/v1/devices", json={"claim_code": "wrong", "secret": secret})
    http.post("/v1/devices", json={"claim_code": claim, "secret": f"{secret} "})
    http.post(f"/v1/{device.token}", content=b"SECRET BODY")
    http.get("/v1/assignment", headers={"authorization": f"Basic {device.token}"})
    device.http.put(f"/v1/frames/{device.token}/label", json={"label": "SECRET BODY", "source": "human"})
    device.post(b"SECRET BODY")
    server.process.terminate()
    log = server.finish()[1]
    life = ("server-ready", "drain-started", "server-stopped")
    assert [line["event"] for line in lines(log) if line["event"] in life] == list(life)
    assert len(refusals(lines(log))) == 8
    assert not [told for told in (claim, secret, device.token, "SECRET BODY") if told in log]


def test_a_flood_of_refusals_is_a_few_lines_and_a_count(server: ServerProcess) -> None:
    http = server.harness.client("device")
    flood, started = 6 * LINES_A_SECOND, time.monotonic()
    for _ in range(flood):
        assert http.get("/nowhere").status_code == 404
    seconds = int(time.monotonic() - started) + 2
    log = log_of(server)
    told = len(refusals(log))
    held_back = sum(line.get("suppressed", {}).get("request-refused", 0) for line in log)
    assert told + held_back == flood
    assert told <= seconds * LINES_A_SECOND


def test_a_fault_is_logged_once_with_its_traceback_and_answered_without_it() -> None:
    command = [sys.executable, "-m", "tests.cloud_server.harness.faulty_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        answer = httpx.get(f"{process.stdout.readline().strip()}/some/secret")
        process.terminate()
        log = process.communicate(timeout=30)[1]
    fault = json.loads(log.splitlines()[0])
    assert answer.status_code == 500
    assert "ZeroDivisionError" not in answer.text
    assert answer.json()["instance"] == f"urn:dctwire:request:{fault['request_id']}"
    assert fault["event"] == "request-failed"
    assert "ZeroDivisionError: a fault" in fault["exception"]
    assert "secret" not in log
    assert log.count("ZeroDivisionError: a fault") == 1


def test_a_reader_who_stops_reading_the_log_stops_nobody() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "w") as stream:
        writer = LineWriter(stream, waiting_max=10)
        for _ in range(1000):
            writer.write("x" * 1000 + "\n")  # the pipe holds 64 KiB of them, the queue 10
        os.read(reading, 1 << 20)
        writer.close()


def test_the_limit_counts_each_event_by_itself_and_anew_each_second() -> None:
    now = 10.0
    limit = LineLimit(2, lambda: now)

    def log(event: str) -> dict[str, Any] | None:
        try:
            return dict(limit(None, "warning", {"event": event}))
        except structlog.DropEvent:
            return None

    assert [log("a"), log("a"), log("a"), log("a")] == [{"event": "a"}, {"event": "a"}, None, None]
    assert log("b") == {"event": "b", "suppressed": {"a": 2}}
    assert log("a") is None
    now = 11.0
    assert log("a") == {"event": "a", "suppressed": {"a": 1}}
    assert log("a") == {"event": "a"}
