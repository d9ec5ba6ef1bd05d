"""Diagnostics of a device: ask for an archive, and fetch it."""

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.openapi import answer, binary, problems
from cloud_server.api.operator.call_log import remark
from cloud_server.api.operator.commands import Message
from cloud_server.api.operator.devices import DEVICE, DeviceId
from cloud_server.api.operator.operator_auth import audited, requires
from cloud_server.fleet.diagnostics import Diagnostics
from cloud_server.operators.roles import Role
from shared.wire import DIAGNOSTICS_MEDIA_TYPE, ProblemCode

DIAGNOSTICS = f"{DEVICE}/diagnostics"
_FOUND_OR_NOT = (ProblemCode.NOT_FOUND, ProblemCode.NOT_READY)


class DiagnosticsState(Message):
    """A request for diagnostics; times are seconds since 1970."""

    device_id: str
    request: str
    asked_at: float
    answered_at: float | None = Field(description="Null: the device has not sent it yet.")


def device_diagnostics_router(diagnostics: Diagnostics) -> APIRouter:
    """Ask for diagnostics and fetch them: they tell how a device is configured, and so need the role operator."""
    router, may_steer = endpoints(), [requires(Role.OPERATOR)]

    @router.post(DIAGNOSTICS, dependencies=may_steer, response_description="Asked.", responses=problems(*_FOUND_OR_NOT))
    async def ask(request: Request, device_id: DeviceId) -> DiagnosticsState:
        """Ask the device for an archive: it sends it when it asks for its assignment next, within a week."""
        remark(request, device=device_id)
        row = await diagnostics.ask(device_id, audited(request, "device.diagnose", device_id))
        return DiagnosticsState(
            device_id=device_id, request=row.request, asked_at=row.asked_at, answered_at=row.answered_at
        )

    @router.get(
        DIAGNOSTICS,
        dependencies=may_steer,
        response_class=Response,
        responses=problems(*_FOUND_OR_NOT)
        | {
            200: answer("The archive.", {DIAGNOSTICS_MEDIA_TYPE: binary()}),
            204: answer("The device has not sent it yet."),
        },
    )
    async def fetch(request: Request, device_id: DeviceId) -> Response:
        """The archive that the device sent last, as it came: unpack it with care."""
        remark(request, device=device_id)
        row = await diagnostics.newest(device_id)
        if row.archive is None:
            return Response(status_code=204)
        return Response(row.archive, media_type=DIAGNOSTICS_MEDIA_TYPE)

    return router
