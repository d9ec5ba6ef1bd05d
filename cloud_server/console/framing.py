"""What frames every answer of the console: headers that hold browsers to our own files, and a line in the log."""

from collections.abc import Callable
from typing import Any

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
_log = structlog.get_logger()


class Framing:
    """ASGI middleware around the console.

    Args:
        request_id_of: a request's id, by its scope.
    """

    def __init__(self, app: ASGIApp, request_id_of: Callable[[Scope], str]) -> None:
        self._app = app
        self._request_id_of = request_id_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; its answer gets the headers, and the log a line once it has ended."""
        status = 500

        async def framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, framed)
        finally:
            self._tell(scope, status)

    def _tell(self, scope: Scope, status: int) -> None:
        route = getattr(scope.get("route"), "path", "other")
        log = _log.debug if "/static/" in route else _log.info
        client = scope.get("client")
        log(
            "console-call-answered",
            request_id=self._request_id_of(scope),
            client=client[0] if client else "",
            method=scope["method"],
            route=route,
            status=status,
            **_caller(scope),
        )


def _caller(scope: Scope) -> dict[str, Any]:
    caller = scope["state"].get("caller")
    if caller is None:
        return {}
    return {"operator": caller.name, "role": caller.role.value, "session": caller.token_id}
