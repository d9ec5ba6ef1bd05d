"""What operators log in to the console with: one-time codes, and passwords."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.json_body import command
from cloud_server.api.http.openapi import problems
from cloud_server.api.operator.commands import COMMAND_PROBLEMS, Message
from cloud_server.api.operator.operator_auth import audited, caller_of, requires
from cloud_server.api.operator.operators import NAME
from cloud_server.operators.logins import Logins
from cloud_server.operators.passwords import LENGTH_MAX
from cloud_server.operators.roles import Role
from cloud_server.operators.secrets import OWN
from shared.wire import ProblemCode

_Name = Annotated[str, Path(description=f"the operator's name; `{OWN}`: whoever asks", pattern=NAME)]
_Password = Annotated[str, Field(max_length=LENGTH_MAX)]


class LoginCode(Message):
    """A one-time code for the console, shown this once, and until when it is good (seconds since 1970)."""

    code: str
    operator: str
    expires_at: float


class NewPassword(Message):
    """The password that shall hold; whoever sets their own, and has one, says the one before."""

    password: _Password
    current: _Password | None = None


def logins_router(logins: Logins) -> APIRouter:
    """What one logs in to the console with."""
    router = endpoints()

    @router.post(
        "/v1/login-codes",
        dependencies=[requires(Role.VIEWER)],
        status_code=201,
        response_description="Made.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def make_login_code(request: Request) -> LoginCode:
        """Make a code with which the caller logs in to the console, once, within ten minutes; earlier ones end."""
        caller = caller_of(request)
        issued = await logins.issue_code(caller, audited(request, "login-code.create", caller.name))
        return LoginCode(code=issued.code, operator=caller.name, expires_at=issued.expires_at)

    @router.put(
        "/v1/operators/{name}/password",
        dependencies=[requires(Role.VIEWER)],
        status_code=204,
        response_class=Response,
        response_description="Set.",
        responses=problems(
            *COMMAND_PROBLEMS, ProblemCode.NOT_FOUND, ProblemCode.INVALID_OPERATOR_TOKEN, ProblemCode.QUEUE_FULL
        ),
    )
    async def set_password(
        request: Request, wanted: Annotated[NewPassword, Depends(command(NewPassword))], name: _Name
    ) -> None:
        """Set one's own password, or an admin anybody's; it ends the operator's sessions."""
        caller = caller_of(request)
        whose = caller.name if name == OWN else name
        witness = audited(request, "operator.password", whose)
        await logins.set_password(caller, whose, wanted.password, wanted.current, witness)

    return router
