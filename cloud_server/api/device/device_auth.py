"""Who is asking: the device behind a request's session token, and the header every answer to it carries."""

from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import Request
from starlette.types import Scope

from cloud_server.api.http.authorization import bearer_token
from cloud_server.api.http.bodies import header
from cloud_server.api.http.openapi import Schema
from cloud_server.api.http.reply import HeaderLine
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Device, Devices
from cloud_server.fleet.diagnostics import Diagnostics
from cloud_server.fleet.settings_in_effect import SettingsInEffect
from shared.wire import ANSWERED_HEADER, ASKED_NUMBER, SETTINGS_HEADER, Answered, ProblemCode

ASSIGNMENT_HEADER = "dw-assignment"
_SETTINGS_NAME = SETTINGS_HEADER.lower()
_ANSWERED_NAME = ANSWERED_HEADER.lower().encode()
ASSIGNMENT = {
    "DW-Assignment": "the newest assignment's number, so that an active device never polls",
    SETTINGS_HEADER: "a number: of the settings that hold for the device; it changes when diagnostics are asked for",
}
"""The headers of every answer, in OpenAPI documents."""
ANSWERED = ASSIGNMENT | {
    ANSWERED_HEADER: "what this answers: `<device id>.<sequence> <match>`, of a batch "
    "`<device id>.<first>-<last> <match>=<frames> ...`, of a label the frame's id; an answer without it is none"
}
"""The headers of an answer without results, in OpenAPI documents."""
REFUSED = {
    ANSWERED_HEADER: "`<device id>.<sequence> refused`: the frame that is refused, or whose label is, once that is "
    "known; a problem without it takes no frame away"
}
"""The header of a refusal, in OpenAPI documents."""
TOKEN_PROBLEMS = (ProblemCode.INVALID_TOKEN, ProblemCode.QUOTA_EXCEEDED, ProblemCode.NOT_READY)
"""How authentication can fail: nobody's token, too many guessed tokens, no database to look one up."""
TOKEN_NEEDED: list[Schema] = [{"token": []}]
"""What an operation's `security` says."""


class DeviceAuth(SecurityBase):
    """Authenticates requests on the device plane. As a FastAPI dependency it gives the device."""

    def __init__(
        self, devices: Devices, assignments: Assignments, settings: SettingsInEffect, diagnostics: Diagnostics
    ) -> None:
        self.model = HTTPBearer(description="the 22 characters that enrolment gave")
        self.scheme_name = "token"
        self._devices = devices
        self._assignments = assignments
        self._settings = settings
        self._diagnostics = diagnostics

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

    def header_lines(self, device: Device) -> tuple[HeaderLine, ...]:
        """The headers of every answer to a device, as ASGI has them."""
        seq = self._assignments.seq(device)
        assignment = ASSIGNMENT_HEADER.encode(), b"%d" % seq
        number = self.number(device) if seq else 0  # nothing is assigned that could name them
        return (assignment, (_SETTINGS_NAME.encode(), b"%d" % number)) if number else (assignment,)

    def number(self, device: Device) -> int:
        """The number of what holds for a device, and is asked of it, beside its assignment; 0: nothing."""
        asked = 0 if self._diagnostics.asked(device) is None else ASKED_NUMBER
        return self._settings.counter(device) + asked

    def headers(self, device: Device) -> dict[str, str]:
        """The headers of every answer: the numbers of what a device should run, so that an active one never polls."""
        return {name.decode(): value.decode() for name, value in self.header_lines(device)}

    def refusal_headers(self, scope: Scope) -> dict[str, str]:
        """The headers of a refusal: as of any answer, and which frame is refused; none where that is not known."""
        state = scope["state"]
        headers = self.headers(state["device"]) if "device" in state else {}
        return headers | ({ANSWERED_HEADER: state["refusal"]} if "refusal" in state else {})


def name_frame(request: Request, device: Device, sequence: int) -> None:
    """Have the refusal of this request, if there is one, name the frame that it is about."""
    request.scope["state"]["refusal"] = str(Answered.refusal(device.public_id, sequence))


def answered_header(answered: Answered) -> HeaderLine:
    """The header that names what an answer without results is about, as ASGI has it."""
    return _ANSWERED_NAME, str(answered).encode()
