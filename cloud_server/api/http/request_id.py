"""Request ids: what joins a client's problem document to the server's log line. Answers that succeed carry none."""

import re
import secrets
from typing import Any

from starlette.types import Scope

_SAFE = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_HEADER = b"x-request-id"


def request_id_of(scope: Scope) -> str:
    """The client's X-Request-Id where it is 1 to 64 letters, digits, dots, dashes or underscores; else a random one."""
    state: dict[str, Any] = scope["state"]
    if "request_id" not in state:
        state["request_id"] = _sent(scope) or new_request_id()
    request_id: str = state["request_id"]
    return request_id


def new_request_id() -> str:
    """16 random hex characters."""
    return secrets.token_hex(8)


def instance_of(request_id: str) -> str:
    """The id as RFC 9457's `instance` has it: a URI."""
    return f"urn:dctwire:request:{request_id}"


def _sent(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == _HEADER:
            return value.decode() if _SAFE.fullmatch(value) else None
    return None
