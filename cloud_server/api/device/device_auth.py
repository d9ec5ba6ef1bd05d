"""Who is asking: the device behind a request's session token, and the header every answer to it carries."""

from starlette.requests import Request

from cloud_server.api.http.bodies import header
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Device, Devices

ASSIGNMENT_HEADER = "dw-assignment"


class Identity:
    """Authenticates requests on the device plane."""

    def __init__(self, devices: Devices, assignments: Assignments) -> None:
        self._devices = devices
        self._assignments = assignments

    async def authenticate(self, request: Request) -> Device:
        """The device that sent this; it is remembered for the answer's headers.

        Raises:
            TokenError: no token, or nobody's.
            UnavailableError: whether it is anybody's cannot be found out now.
        """
        scheme, _, token = header(request, b"authorization").partition(" ")
        device = await self._devices.authenticate(token.strip() if scheme.lower() == "bearer" else None)
        request.scope["state"]["device"] = device
        return device

    def header(self, device: Device) -> tuple[bytes, bytes]:
        """The same, as ASGI has it."""
        return ASSIGNMENT_HEADER.encode(), b"%d" % self._assignments.seq(device)

    def headers(self, device: Device) -> dict[str, str]:
        """The number of the newest assignment, so that an active device never polls."""
        return {ASSIGNMENT_HEADER: str(self._assignments.seq(device))}

    def refusal_headers(self, request: Request) -> dict[str, str]:
        """The same for a refusal; empty when it is not known who asks."""
        device = request.scope["state"].get("device")
        return self.headers(device) if device else {}
