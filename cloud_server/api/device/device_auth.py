"""Who is asking: the device behind a request's session token, and the header every answer to it carries."""

from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import Request
from starlette.types import Scope

from cloud_server.api.http.bodies import header
from cloud_server.api.http.openapi import Schema
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Device, Devices
from shared.wire import ProblemCode

ASSIGNMENT_HEADER = "dw-assignment"
ASSIGNMENT = {"DW-Assignment": "the newest assignment's number, so that an active device never polls"}
"""The header in OpenAPI documents."""
TOKEN_PROBLEMS = (ProblemCode.INVALID_TOKEN, ProblemCode.QUOTA_EXCEEDED, ProblemCode.NOT_READY)
"""How authentication can fail: nobody's token, too many guessed tokens, no database to look one up."""
TOKEN_NEEDED: list[Schema] = [{"token": []}]
"""What an operation's `security` says."""


class DeviceAuth(SecurityBase):
    """Authenticates requests on the device plane. As a FastAPI dependency it gives the device."""

    def __init__(self, devices: Devices, assignments: Assignments) -> None:
        self.model = HTTPBearer(description="the 22 characters that enrolment gave")
        self.scheme_name = "token"
        self._devices = devices
        self._assignments = assignments

    async def __call__(self, request: Request) -> Device:
        """The device that sent this; it is remembered for the answer's headers.

        Raises:
            TokenError: no token, or nobody's.
            GuessedTokensError: so many unknown tokens come that this one is not looked up.
            StorageError: whether it is anybody's cannot be found out now.
        """
        device = await self._devices.authenticate(bearer_token(header(request, b"authorization")))
        request.scope["state"]["device"] = device
        return device

    def header(self, device: Device) -> tuple[bytes, bytes]:
        """The header with the number of the newest assignment, as ASGI has it."""
        return ASSIGNMENT_HEADER.encode(), b"%d" % self._assignments.seq(device)

    def headers(self, device: Device) -> dict[str, str]:
        """The header with the number of the newest assignment, so that an active device never polls."""
        return {ASSIGNMENT_HEADER: str(self._assignments.seq(device))}

    def refusal_headers(self, scope: Scope) -> dict[str, str]:
        """The headers of a refusal: as of any answer; none when it is not known who asks."""
        device = scope["state"].get("device")
        return self.headers(device) if device else {}


def bearer_token(authorization: str) -> str | None:
    """The token in an Authorization header; None where it has none, or one of another scheme (RFC 6750 2.1)."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
