"""`POST /v1/diagnostics/{request}`: a device sends the archive that an operator asked it for."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Security
from starlette.requests import Request
from starlette.responses import Response

from cloud_server.api.device.device_auth import ASSIGNMENT, TOKEN_PROBLEMS, DeviceAuth
from cloud_server.api.http.bodies import read_body
from cloud_server.api.http.endpoint import endpoints, metered_as
from cloud_server.api.http.json_body import BODY_PROBLEMS
from cloud_server.api.http.openapi import answer, binary, problems, raw_body
from cloud_server.fleet.devices import Device
from cloud_server.fleet.diagnostics import Diagnostics
from cloud_server.fleet.heartbeats import Heartbeats
from shared.wire import DIAGNOSTICS_MAX_BYTES, DIAGNOSTICS_MEDIA_TYPE, ProblemCode


def diagnostics_router(
    diagnostics: Diagnostics, heartbeats: Heartbeats, auth: DeviceAuth, body_max_seconds: float
) -> APIRouter:
    """What devices send of themselves when they are asked."""
    router = endpoints()

    async def charged(device: Annotated[Device, Security(auth)]) -> Device:
        """The device that asks; its request is taken off what it may tell before the body is read."""
        heartbeats.charge(device)
        return device

    @router.post(
        "/v1/diagnostics/{request_id}",
        status_code=204,
        response_class=Response,
        dependencies=[metered_as("diagnostics")],
        responses=problems(*TOKEN_PROBLEMS, *BODY_PROBLEMS, ProblemCode.NOT_FOUND)
        | {204: answer("Kept.", headers=ASSIGNMENT)},
        openapi_extra={
            "requestBody": raw_body(
                "a tar archive, packed by gzip",
                DIAGNOSTICS_MAX_BYTES,
                {DIAGNOSTICS_MEDIA_TYPE: binary(DIAGNOSTICS_MAX_BYTES)},
            )
        },
    )
    async def post_diagnostics(
        request: Request,
        device: Annotated[Device, Depends(charged)],
        request_id: Annotated[str, Path(description="as the assignment named it", pattern="^[0-9a-f]{16}$")],
    ) -> Response:
        """Send the archive that the assignment asks for; the same again changes nothing. The server never opens it."""
        archive = await read_body(request, DIAGNOSTICS_MAX_BYTES, body_max_seconds)
        await diagnostics.answer(device, request_id, archive)
        return Response(status_code=204, headers=auth.headers(device))

    return router
