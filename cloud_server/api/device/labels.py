"""`PUT /v1/frames/{id}/label`: what a device's own frame really showed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Security
from starlette.requests import Request
from starlette.responses import Response

from cloud_server.api.device.device_auth import ANSWERED, REFUSED, TOKEN_PROBLEMS, DeviceAuth, name_frame
from cloud_server.api.http.endpoint import endpoints, metered_as
from cloud_server.api.http.json_body import BODY_PROBLEMS, JsonBody
from cloud_server.api.http.openapi import answer, problems
from cloud_server.errors import NotFoundError
from cloud_server.feedback.frame_id import FrameId
from cloud_server.feedback.labels import Labels
from cloud_server.fleet.devices import Device
from cloud_server.inference.admission import Admission
from shared.wire import ANSWERED_HEADER, Answered, LabelReport, ProblemCode


def labels_router(labels: Labels, auth: DeviceAuth, admission: Admission, body_max_seconds: float) -> APIRouter:
    """The labels that devices give."""
    router = endpoints()

    async def charged(
        request: Request,
        device: Annotated[Device, Security(auth)],
        frame_id: Annotated[str, Path(description="the id that its result named: <device id>.<sequence>")],
    ) -> tuple[Device, FrameId]:
        """Who asks, and about which of its frames; taken off its quota like a frame, before the body is read."""
        frame = FrameId.parse(frame_id)
        if frame.device != device.public_id:
            raise NotFoundError(f"{frame} is no frame of this device")
        name_frame(request, device, frame.sequence)
        admission.charge(device, 1)
        return device, frame

    @router.put(
        "/v1/frames/{frame_id}/label",
        status_code=204,
        dependencies=[metered_as("label")],
        responses=problems(
            *TOKEN_PROBLEMS, *BODY_PROBLEMS, ProblemCode.NOT_FOUND, ProblemCode.CONFLICT, headers=REFUSED
        )
        | {204: answer("Noted.", headers=ANSWERED)},
    )
    async def put_label(
        asked: Annotated[tuple[Device, FrameId], Depends(charged)],
        report: Annotated[LabelReport, Depends(JsonBody(LabelReport, body_max_seconds))],
    ) -> Response:
        """Say what one of the device's own answered frames really showed; the same again changes nothing.

        A label is taken off the device's quota like a frame.
        """
        device, frame = asked
        await labels.put(frame, device.row_id, device.family, report)
        answered = str(Answered(frame.device, frame.sequence))
        return Response(status_code=204, headers=auth.headers(device) | {ANSWERED_HEADER: answered})

    return router
