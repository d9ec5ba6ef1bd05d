"""Every error as RFC 9457 problem+json, and a line in the log: ours by their code, the framework's by their status."""

from collections.abc import Callable, Mapping

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Scope

from cloud_server.api.http.exchange import SlowBodyError, exchange_of
from cloud_server.api.http.request_id import instance_of, request_id_of
from cloud_server.errors import (
    BodyTooLargeError,
    ClassifierFaultError,
    CodingError,
    NoAssignmentError,
    NoNewerRootError,
    OperatorTokenError,
    Refusal,
    SequenceError,
    UnavailableError,
)
from cloud_server.logs import ANSWERED_FAULT
from shared.errors import PeerError
from shared.wire import PROBLEM_MEDIA_TYPE, Problem, ProblemCode, Retry

DISCONNECTED, SLOW_BODY = "disconnected", "slow-body"
"""Reasons for which an exchange ends without an answer."""
DETAIL_LOGGED_MAX = 200
PATH_QUOTED_MAX = 200
_BY_STATUS = {404: ProblemCode.NOT_FOUND, 405: ProblemCode.METHOD_NOT_ALLOWED, 413: ProblemCode.TOO_LARGE}
INTERNAL = Problem(
    title="The server made a mistake",
    status=500,
    detail="this is a fault of ours; it is in the server's log",
    code="internal",
    retry=Retry.LATER,
)
_QUOTES_THE_PATH = {ProblemCode.NOT_FOUND, ProblemCode.METHOD_NOT_ALLOWED}
"""What a client puts into a path may be anybody's secret; these problems' details do not go to the log."""
_ORDINARY = (NoNewerRootError, NoAssignmentError)
"""Refusals that each device meets when all is well: no warning."""
_ANSWERED = (
    PeerError,
    UnavailableError,
    ClassifierFaultError,
    RequestValidationError,
    HTTPException,
    ClientDisconnect,
    Exception,
)
_log = structlog.get_logger()

OnRefusal = Callable[[Scope, str], Mapping[str, str]]
"""Told of every refusal and its reason (a problem's code, or why there is no answer); returns headers to send."""
Form = Callable[[Scope, Problem], Problem]
"""Gives a problem the members that a request's protocol expects."""


class Problems:
    """How a plane answers errors, those of its framework's routes and those of ASGI applications in front of it."""

    def __init__(
        self,
        plane: str,
        on_refusal: OnRefusal = lambda _scope, _reason: {},
        form: Form = lambda _scope, problem: problem,
    ) -> None:
        self._plane = plane
        self._on_refusal = on_refusal
        self._form = form

    def install(self, app: FastAPI) -> None:
        """Have `app` answer every error of its routes."""

        async def handle(request: Request, error: Exception) -> Response:
            return self.respond(request.scope, error)

        for kind in _ANSWERED:
            app.add_exception_handler(kind, handle)

    def respond(self, scope: Scope, error: Exception) -> Response:
        """The answer to a request that ended in `error`; a line in the log has the same request id."""
        if isinstance(error, ClientDisconnect):
            return self._give_up(scope, SLOW_BODY if isinstance(error, SlowBodyError) else DISCONNECTED)
        problem = _problem(scope, error).model_copy(update={"instance": instance_of(request_id_of(scope))})
        if problem.code == INTERNAL.code:
            _log.error("request-failed", **self._which(scope), exc_info=error)
            error.add_note(f"{ANSWERED_FAULT}{problem.instance}")
        else:
            detail = problem.detail[:DETAIL_LOGGED_MAX] if problem.code not in _QUOTES_THE_PATH else ""
            log = _log.info if isinstance(error, _ORDINARY) else _log.warning
            log("request-refused", status=problem.status, code=problem.code, detail=detail, **self._which(scope))
        headers = {**self._on_refusal(scope, problem.code), **_headers(error)}
        if isinstance(error, NoNewerRootError):  # each device meets it at each look: 300 bytes that nobody reads
            return Response(None, problem.status, headers)
        body = self._form(scope, problem).model_dump_json()
        return Response(body, problem.status, headers, PROBLEM_MEDIA_TYPE)

    def _give_up(self, scope: Scope, reason: str) -> Response:
        self._on_refusal(scope, reason)
        _log.warning("request-abandoned", reason=reason, **self._which(scope))
        return Response(status_code=400)  # nobody reads it: the connection is gone

    def _which(self, scope: Scope) -> dict[str, str]:
        """What a log line says of a request: its id, where it came from, and its route, never its path as sent."""
        client = scope.get("client")
        return {
            "request_id": request_id_of(scope),
            "plane": self._plane,
            "client": client[0] if client else "",
            "method": scope["method"],
            "route": getattr(scope.get("route"), "path", "") or exchange_of(scope).route,
        }


def problem_of(error: Refusal) -> Problem:
    """The problem document of an error of ours."""
    highest_sequence = error.highest_sequence if isinstance(error, SequenceError) else None
    return Problem.of(ProblemCode(error.code), str(error), highest_sequence=highest_sequence)


def _problem(scope: Scope, error: Exception) -> Problem:
    if isinstance(error, Refusal):
        return problem_of(error)
    if isinstance(error, RequestValidationError):
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        return Problem.of(ProblemCode.BAD_REQUEST, f"{where}: {fault['msg']}")
    if isinstance(error, HTTPException):
        code = _BY_STATUS.get(error.status_code, ProblemCode.BAD_REQUEST)
        return Problem.of(code, f"{scope['method']} {scope['path'][:PATH_QUOTED_MAX]}: {error.detail}")
    return INTERNAL


def _headers(error: Exception) -> Mapping[str, str]:
    if isinstance(error, BodyTooLargeError):
        return {"connection": "close"}  # or the rest of a body that nobody wants would still be read
    if isinstance(error, CodingError):
        return {"accept-encoding": "identity"}  # RFC 9110 12.5.3
    if isinstance(error, UnavailableError):
        return {"retry-after": str(error.retry_after_seconds)}
    if isinstance(error, OperatorTokenError):
        return {"www-authenticate": "Bearer"}  # RFC 9110 11.6.1
    if isinstance(error, HTTPException):
        return error.headers or {}
    return {}
