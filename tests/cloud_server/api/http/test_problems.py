"""Every error becomes a problem: whichever part of a plane raised it, and nothing of it is lost or told twice."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Scope
from structlog.testing import LogCapture

from cloud_server.api.http.body_memory import BodyMemory
from cloud_server.api.http.exchange import Exchange, SlowBodyError
from cloud_server.api.http.problems import Problems
from cloud_server.errors import BodyTooLargeError, NotFoundError, QueueFullError, QuotaError
from cloud_server.logs import ANSWERED_FAULT
from shared.errors import PeerError
from shared.wire import PROBLEM_MEDIA_TYPE, Problem, ProblemCode, Retry

INVALID_QUERY = RequestValidationError(
    [{"loc": ("query", "limit"), "msg": "too large", "type": "x", "input": "secret"}]
)


@pytest.fixture
def log() -> Iterator[LogCapture]:
    """The lines that are logged meanwhile."""
    before, captured = structlog.get_config(), LogCapture()
    structlog.configure(processors=[captured], wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    yield captured
    structlog.configure(**before)


def scope(path: str = "/v1/things") -> Scope:
    """A request as uvicorn has it."""
    state = {"exchange": Exchange(BodyMemory(1), route="things"), "request_id": "r1"}
    return {"type": "http", "method": "GET", "path": path, "headers": [], "client": ("::1", 5), "state": state}


@pytest.mark.parametrize(
    ("error", "status", "code", "headers"),
    [
        (PeerError("x"), 400, ProblemCode.BAD_REQUEST, {}),
        (NotFoundError("x"), 404, ProblemCode.NOT_FOUND, {}),
        (BodyTooLargeError(5), 413, ProblemCode.TOO_LARGE, {"connection": "close"}),
        (QueueFullError("x"), 503, ProblemCode.QUEUE_FULL, {"retry-after": "1"}),
        (QuotaError(1, 2, 2.5), 429, ProblemCode.QUOTA_EXCEEDED, {"retry-after": "3"}),
        (INVALID_QUERY, 400, ProblemCode.BAD_REQUEST, {}),
        (HTTPException(404), 404, ProblemCode.NOT_FOUND, {}),
        (HTTPException(405, headers={"allow": "POST"}), 405, ProblemCode.METHOD_NOT_ALLOWED, {"allow": "POST"}),
        (HTTPException(413), 413, ProblemCode.TOO_LARGE, {}),
        (HTTPException(418), 400, ProblemCode.BAD_REQUEST, {}),
    ],
)
def test_an_error_gets_its_problem_and_its_headers(
    error: Exception, status: int, code: ProblemCode, headers: dict[str, str]
) -> None:
    answer = Problems("plane").respond(scope(), error)
    problem = Problem.model_validate_json(bytes(answer.body))
    assert (answer.status_code, problem.status, problem.code) == (status, status, code)
    assert (problem.title, problem.instance) == (code.summary, "urn:dctwire:request:r1")
    sent = dict(answer.headers)
    assert sent.pop("content-type") == PROBLEM_MEDIA_TYPE
    assert sent.pop("content-length") == str(len(answer.body))
    assert sent == headers


def test_a_refusal_is_told_once_with_its_reason_and_gets_the_planes_headers() -> None:
    told = []

    def on_refusal(refused: Scope, reason: str) -> dict[str, str]:
        told.append((refused["path"], reason))
        return {"dw-assignment": "7", "retry-after": "99"}

    answer = Problems("plane", on_refusal).respond(scope(), QueueFullError("x"))
    assert told == [("/v1/things", "queue-full")]
    assert answer.headers["dw-assignment"] == "7"
    assert answer.headers["retry-after"] == "1"  # what the error says comes before what the plane says


@pytest.mark.parametrize(("error", "reason"), [(ClientDisconnect(), "disconnected"), (SlowBodyError(), "slow-body")])
def test_who_is_gone_gets_no_document_but_is_told_of(log: LogCapture, error: Exception, reason: str) -> None:
    told: list[str] = []

    def on_refusal(_scope: Scope, why: str) -> dict[str, str]:
        told.append(why)
        return {}

    answer = Problems("plane", on_refusal).respond(scope(), error)
    assert (answer.body, told) == (b"", [reason])
    assert [(line["event"], line["reason"]) for line in log.entries] == [("request-abandoned", reason)]


def test_a_fault_of_ours_says_nothing_of_itself_but_where_to_look(log: LogCapture) -> None:
    fault = ZeroDivisionError("with a secret")
    answer = Problems("plane").respond(scope(), fault)
    assert answer.status_code == 500
    assert b"secret" not in answer.body
    assert json.loads(bytes(answer.body))["retry"] == Retry.LATER
    assert fault.__notes__ == [f"{ANSWERED_FAULT}urn:dctwire:request:r1"]
    (line,) = log.entries
    assert (line["log_level"], line["exc_info"], line["request_id"]) == ("error", fault, "r1")


def test_the_log_says_which_request_but_never_its_path(log: LogCapture) -> None:
    Problems("plane").respond(scope("/v1/claims/secret"), HTTPException(404, "Not Found"))
    (line,) = log.entries
    assert "secret" not in str(line)
    assert {name: line[name] for name in ("request_id", "plane", "client", "method", "route")} == {
        "request_id": "r1",
        "plane": "plane",
        "client": "::1",
        "method": "GET",
        "route": "things",
    }


def test_what_a_client_sent_is_not_repeated_to_it() -> None:
    assert b"secret" not in Problems("plane").respond(scope(), INVALID_QUERY).body


def test_the_form_of_a_problem_may_depend_on_the_path() -> None:
    def form(asked: Scope, problem: Problem) -> Problem:
        return problem.model_copy(update={"detail": asked["path"]})

    body: dict[str, Any] = json.loads(bytes(Problems("plane", form=form).respond(scope(), PeerError("x")).body))
    assert body["detail"] == "/v1/things"
