"""Every error as RFC 9457 problem+json, and a line in the log: ours by their code, the framework's by their status."""

from collections.abc import Callable
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from cloud_server.api.device.open_inference import PATH_PREFIX, InferenceProblem
from cloud_server.api.http.exchange import SlowBodyError, exchange_of
from cloud_server.api.http.request_id import instance_of, request_id_of
from cloud_server.errors import BodyTooLargeError, UnavailableError
from cloud_server.logs import ANSWERED_FAULT
from shared.errors import PeerError
from shared.wire import PROBLEM_MEDIA_TYPE, Problem, ProblemCode, Retry

_BY_STATUS = {404: ProblemCode.NOT_FOUND, 405: ProblemCode.METHOD_NOT_ALLOWED, 413: ProblemCode.TOO_LARGE}
_INTERNAL = Problem(
    title="The server made a mistake",
    status=500,
    detail="this is a fault of ours; it is in the server's log",
    code="internal",
    retry=Retry.LATER,
)
DETAIL_LOGGED_MAX = 200
PATH_QUOTED_MAX = 200
_QUOTES_THE_PATH = {ProblemCode.NOT_FOUND, ProblemCode.METHOD_NOT_ALLOWED}
"""What a client puts into a path may be anybody's secret; these problems' details do not go to the log."""
_log = structlog.get_logger()

Refused = Callable[[Request, str], dict[str, str]]
"""Told of every refusal and its reason; returns headers to send with it."""


def problem_of(error: PeerError | UnavailableError) -> Problem:
    """The problem document of an error of ours."""
    return Problem.of(ProblemCode(error.code), str(error))


def install_problems(app: FastAPI, refused: Refused) -> None:
    """Make `app` answer every error with a problem document, and log it under the document's request id."""

    async def on_peer_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, PeerError)
        headers = refused(request, error.code)
        if isinstance(error, BodyTooLargeError):
            headers["connection"] = "close"  # or the rest of a body that nobody wants would still be read
        return _refuse(request, problem_of(error), headers)

    async def on_unavailable(request: Request, error: Exception) -> Response:
        assert isinstance(error, UnavailableError)
        headers = refused(request, error.code) | {"retry-after": str(error.retry_after_seconds)}
        return _refuse(request, problem_of(error), headers)

    async def on_validation_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        problem = Problem.of(ProblemCode.BAD_REQUEST, f"{where}: {fault['msg']}")
        return _refuse(request, problem, refused(request, problem.code))

    async def on_http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = _BY_STATUS.get(error.status_code, ProblemCode.BAD_REQUEST)
        problem = Problem.of(code, f"{request.method} {request.url.path[:PATH_QUOTED_MAX]}: {error.detail}")
        return _refuse(request, problem, refused(request, code) | dict(error.headers or {}))

    async def on_disconnect(request: Request, error: Exception) -> Response:
        reason = "slow-body" if isinstance(error, SlowBodyError) else "disconnected"
        refused(request, reason)
        _log.warning("refused", code=reason, **_which(request))
        return Response(status_code=400)  # nobody reads it: the connection is gone

    async def on_fault(request: Request, error: Exception) -> Response:
        _log.error("fault", **_which(request), exc_info=error)
        problem = _identified(request, _INTERNAL)
        error.add_note(f"{ANSWERED_FAULT}{problem.instance}")
        return _answer(problem, refused(request, problem.code))

    handlers: dict[Any, Any] = {
        PeerError: on_peer_error,
        UnavailableError: on_unavailable,
        RequestValidationError: on_validation_error,
        HTTPException: on_http_error,
        ClientDisconnect: on_disconnect,
        Exception: on_fault,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _refuse(request: Request, problem: Problem, headers: dict[str, str]) -> Response:
    detail = problem.detail[:DETAIL_LOGGED_MAX] if problem.code not in _QUOTES_THE_PATH else ""
    _log.warning("refused", status=problem.status, code=problem.code, detail=detail, **_which(request))
    return _answer(_identified(request, problem), headers)


def _which(request: Request) -> dict[str, str]:
    """What a log line says of a request: its id, where it came from, and its route, never its path as it was sent."""
    route = request.scope.get("route")
    return {
        "request_id": request_id_of(request.scope),
        "plane": request.app.title,
        "client": request.client.host if request.client else "",
        "method": request.method,
        "route": getattr(route, "path", "") or exchange_of(request.scope).route,
    }


def _identified(request: Request, problem: Problem) -> Problem:
    identified = problem.model_copy(update={"instance": instance_of(request_id_of(request.scope))})
    if request.url.path.startswith(PATH_PREFIX):
        return InferenceProblem(**identified.model_dump(), error=problem.detail)
    return identified


def _answer(problem: Problem, headers: dict[str, str]) -> Response:
    return Response(problem.model_dump_json(), problem.status, headers, PROBLEM_MEDIA_TYPE)
