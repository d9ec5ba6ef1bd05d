"""Who may call the operator plane: whoever holds a token whose role a route asks for. Their changes are audited."""

from typing import Any

from fastapi import FastAPI, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from cloud_server.api.http.authorization import bearer_token
from cloud_server.api.http.bodies import header
from cloud_server.api.http.request_id import request_id_of
from cloud_server.operators.accounts import Caller, Operators
from cloud_server.operators.audit import Audit, Call
from cloud_server.operators.roles import Role
from cloud_server.storage.witness import Witness
from shared.wire import DOCUMENT_PATH, ProblemCode

OPEN_PATHS = (DOCUMENT_PATH, "/tuf/{name:path}")
"""Routes that need no token: what the plane is, and what every device may read."""


class RoleNeeded(SecurityBase):
    """A dependency that lets in whoever holds a token of this role, or of one above it.

    Attributes:
        problems: how it refuses.
    """

    problems = (
        ProblemCode.INVALID_OPERATOR_TOKEN,
        ProblemCode.ENDED_OPERATOR_TOKEN,
        ProblemCode.ROLE_NEEDED,
        ProblemCode.QUOTA_EXCEEDED,
        ProblemCode.NOT_READY,
    )

    def __init__(self, role: Role) -> None:
        self.model = HTTPBearer(description="an operator's token: `dctwire tokens create`")
        self.scheme_name = "operator"
        self.role = role

    async def __call__(self, request: Request) -> None:
        """Find out who calls; the request remembers it.

        Raises:
            OperatorTokenError: no token, or one that lets nobody in.
            RoleError: the operator's role is too low.
            GuessedOperatorTokensError: so many wrong tokens come from this address that this one is not looked up.
            StorageError: whether it is anybody's cannot be found out now.
        """
        operators: Operators = request.app.state.operators
        address = request.client.host if request.client else ""
        caller = await operators.authenticate(bearer_token(header(request, b"authorization")), address)
        request.scope["state"]["caller"] = caller
        caller.require(self.role)


def requires(role: Role) -> Any:
    """What a route says to ask for a role: `dependencies=[requires(Role.OPERATOR)]`; all but `OPEN_PATHS` must."""
    return Security(RoleNeeded(role), scopes=[role.value])


def role_of(route: APIRoute) -> Role | None:
    """The role that a route asks for; None of one that lets in anybody."""
    asked = (each.dependency for each in route.dependencies)
    return next((each.role for each in asked if isinstance(each, RoleNeeded)), None)


def guard(app: FastAPI, operators: Operators, audit: Audit) -> None:
    """Have the routes of `app` ask these operators, and their changes audited; every route must have said its role."""
    app.state.operators, app.state.audit = operators, audit
    unguarded = [route.path for route in app.routes if isinstance(route, APIRoute) and role_of(route) is None]
    assert set(unguarded) <= set(OPEN_PATHS), f"routes without a role: {unguarded}"


def caller_of(request: Request) -> Caller:
    """Who calls; only in routes that ask for a role."""
    caller: Caller = request.scope["state"]["caller"]
    return caller


def audited(request: Request, action: str, subject: str) -> Witness:
    """Who takes note of a change that a call makes, for the use case to tell in its transaction.

    Args:
        action: what is done, such as `device.revoke`.
        subject: what it is done to, such as the device's name; never a secret.
    """
    audit: Audit = request.app.state.audit
    return audit.witness(Call(caller_of(request), request_id_of(request.scope)), action, subject)
