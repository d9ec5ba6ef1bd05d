"""Every error as RFC 9457 problem+json: ours by their code, the framework's by their status."""

from collections.abc import Callable
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from cloud_server.api.bodies import SlowBodyError
from cloud_server.errors import BodyTooLargeError, UnavailableError
from shared.errors import PeerError
from shared.wire import PROBLEM_MEDIA_TYPE, Problem, ProblemCode

_BY_STATUS = {404: ProblemCode.NOT_FOUND, 405: ProblemCode.METHOD_NOT_ALLOWED, 413: ProblemCode.TOO_LARGE}
_INTERNAL = Problem(
    title="The server made a mistake",
    status=500,
    detail="this is a fault of ours; it is in the server's log",
    code="internal",
    retry=True,
)
_log = structlog.get_logger()

Refused = Callable[[Request, str], dict[str, str]]
"""Told of every refusal and its reason; returns headers to send with it."""


def problem_of(error: PeerError | UnavailableError) -> Problem:
    """The problem document of an error of ours."""
    return Problem.of(ProblemCode(error.code), str(error))


def install_problems(app: FastAPI, refused: Refused) -> None:
    """Make `app` answer every error with a problem document."""

    async def on_peer_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, PeerError)
        headers = refused(request, error.code)
        if isinstance(error, BodyTooLargeError):
            headers["connection"] = "close"  # or the rest of a body that nobody wants would still be read
        return _reply(problem_of(error), headers)

    async def on_unavailable(request: Request, error: Exception) -> Response:
        assert isinstance(error, UnavailableError)
        headers = refused(request, error.code) | {"retry-after": str(error.retry_after_seconds)}
        return _reply(problem_of(error), headers)

    async def on_validation_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        problem = Problem.of(ProblemCode.BAD_REQUEST, f"{where}: {fault['msg']}")
        return _reply(problem, refused(request, problem.code))

    async def on_http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = _BY_STATUS.get(error.status_code, ProblemCode.BAD_REQUEST)
        detail = f"{request.method} {request.url.path}: {error.detail}"
        return _reply(Problem.of(code, detail), refused(request, code) | dict(error.headers or {}))

    async def on_disconnect(request: Request, error: Exception) -> Response:
        refused(request, "slow-body" if isinstance(error, SlowBodyError) else "disconnected")
        return Response(status_code=400)  # nobody reads it: the connection is gone

    async def on_fault(request: Request, error: Exception) -> Response:
        _log.error("fault", path=request.url.path, exc_info=error)
        return _reply(_INTERNAL, refused(request, _INTERNAL.code))

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


def _reply(problem: Problem, headers: dict[str, str]) -> Response:
    return Response(problem.model_dump_json(), problem.status, headers, PROBLEM_MEDIA_TYPE)
