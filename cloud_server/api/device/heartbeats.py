"""`POST /v1/heartbeat` and `POST /v1/assignments/{seq}/events`: what devices tell of themselves."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Security
from starlette.responses import Response

from cloud_server.api.device.device_auth import ASSIGNMENT, TOKEN_PROBLEMS, DeviceAuth
from cloud_server.api.http.endpoint import endpoints, metered_as
from cloud_server.api.http.json_body import BODY_PROBLEMS, JsonBody
from cloud_server.api.http.openapi import Responses, answer, problems
from cloud_server.fleet.devices import Device
from cloud_server.fleet.heartbeats import Heartbeats
from shared.wire import HEARTBEAT_MAX_BYTES, SEQUENCE_MAX, AssignmentEvent, Heartbeat, ProblemCode

_NOTED: Responses = {204: answer("Noted.", headers=ASSIGNMENT)}


def heartbeats_router(heartbeats: Heartbeats, auth: DeviceAuth, body_max_seconds: float) -> APIRouter:
    """What devices tell of themselves."""
    router = endpoints()

    async def charged(device: Annotated[Device, Security(auth)]) -> Device:
        """The device that asks; its request is taken off what it may tell before the body is read."""
        heartbeats.charge(device)
        return device

    @router.post(
        "/v1/heartbeat",
        status_code=204,
        dependencies=[metered_as("heartbeat")],
        responses=problems(*TOKEN_PROBLEMS, *BODY_PROBLEMS) | _NOTED,
    )
    async def post_heartbeat(
        device: Annotated[Device, Depends(charged)],
        heartbeat: Annotated[Heartbeat, Depends(JsonBody(Heartbeat, body_max_seconds, HEARTBEAT_MAX_BYTES))],
    ) -> Response:
        """Say how the device is: at each start of its program, after each outcome of an update, and every six hours.

        The last one is kept. A device may tell something once in ten seconds, and 20 times at once.
        """
        await heartbeats.note(device, heartbeat)
        return Response(status_code=204, headers=auth.headers(device))

    @router.post(
        "/v1/assignments/{seq}/events",
        status_code=204,
        dependencies=[metered_as("event")],
        responses=problems(*TOKEN_PROBLEMS, *BODY_PROBLEMS, ProblemCode.NOT_FOUND) | _NOTED,
    )
    async def post_event(
        device: Annotated[Device, Depends(charged)],
        event: Annotated[AssignmentEvent, Depends(JsonBody(AssignmentEvent, body_max_seconds))],
        seq: Annotated[int, Path(description="the number of the assignment", ge=1, le=SEQUENCE_MAX)],
    ) -> Response:
        """Say what became of an assignment's bundle on the device; the same again changes nothing.

        A number that the server does not know any more is answered 404, and the device drops the event.
        """
        await heartbeats.note_event(device, seq, event)
        return Response(status_code=204, headers=auth.headers(device))

    return router
