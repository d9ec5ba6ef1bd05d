"""A log line for each call of an operator: who from, what, and how it ended."""

from typing import Any

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud_server.api.http.request_id import request_id_of

_log = structlog.get_logger()


class CallLog:
    """ASGI middleware. What a call was about is its route's parameters and whatever its handler `remark`s."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, and log it when it has ended; one that ended in an exception will be answered 500."""
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            _log.info("operator-call-answered", status=status, **_what(scope))


def remark(request: Request, **facts: str | int) -> None:
    """Add to the log line of the call that is being answered; never a secret, never a body."""
    request.scope["state"].setdefault("remarks", {}).update(facts)


def _caller(scope: Scope) -> dict[str, str]:
    caller = scope["state"].get("caller")
    if caller is None:
        return {}
    return {"operator": caller.name, "role": caller.role.value, "caller_token_id": caller.token_id}


def _what(scope: Scope) -> dict[str, Any]:
    route = scope.get("route")
    client = scope.get("client")
    return {
        "request_id": request_id_of(scope),
        "client": client[0] if client else "",
        "method": scope["method"],
        "route": getattr(route, "path", "other"),
        **_caller(scope),
        **(scope.get("path_params", {}) if route else {}),
        **scope["state"].get("remarks", {}),
    }
