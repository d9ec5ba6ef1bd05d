"""`POST /v1/devices` and `GET /v1/assignment`: a device joins, and learns which bundle to run."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Security
from starlette.requests import Request
from starlette.responses import Response

from cloud_server.api.device.device_auth import ASSIGNMENT, TOKEN_PROBLEMS, DeviceAuth
from cloud_server.api.http.client_address import TrustedProxies
from cloud_server.api.http.endpoint import endpoints, metered_as
from cloud_server.api.http.json_body import BODY_PROBLEMS, JsonBody
from cloud_server.api.http.openapi import JSON, answer, problems
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Device, Devices
from cloud_server.fleet.diagnostics import Diagnostics
from cloud_server.fleet.settings_in_effect import SettingsInEffect
from shared.wire import Assignment, Enrolment, EnrolmentRequest, ProblemCode

_ASSIGNMENT_HEADERS = ASSIGNMENT | {"ETag": "its number, and that of the settings that hold"}


def enrolment_router(devices: Devices, proxies: TrustedProxies, body_max_seconds: float) -> APIRouter:
    """The one request that needs no token."""
    router = endpoints()

    @router.post(
        "/v1/devices",
        status_code=201,
        response_description="Enrolled.",
        dependencies=[metered_as("devices")],
        responses=problems(
            *BODY_PROBLEMS, ProblemCode.INVALID_CLAIM, ProblemCode.QUOTA_EXCEEDED, ProblemCode.NOT_READY
        ),
    )
    async def enrol(
        request: Request,
        wanted: Annotated[EnrolmentRequest, Depends(JsonBody(EnrolmentRequest, body_max_seconds))],
    ) -> Enrolment:
        """Turn a claim code, with a secret that the device made, into a device id and a session token.

        The same two get the same answer, however often: a device that did not hear it asks again. One that joined
        before, and is let in no more, also sends its id, its family and its voucher: a server that was restored from an
        older backup then knows it again.
        """
        return await devices.enrol(wanted, proxies.address_of(request))

    return router


def assignment_router(
    devices: Devices,
    assignments: Assignments,
    settings: SettingsInEffect,
    diagnostics: Diagnostics,
    auth: DeviceAuth,
) -> APIRouter:
    """What a device should run."""
    router = endpoints()

    @router.get(
        "/v1/assignment",
        response_class=Response,
        dependencies=[metered_as("assignment")],
        responses=problems(*TOKEN_PROBLEMS, ProblemCode.NO_ASSIGNMENT)
        | {
            200: answer("The newest assignment.", {JSON: Assignment}, _ASSIGNMENT_HEADERS),
            304: answer("Still the one in If-None-Match.", headers=_ASSIGNMENT_HEADERS),
        },
    )
    async def get_assignment(
        device: Annotated[Device, Security(auth)],
        if_none_match: Annotated[str, Header(alias="If-None-Match", description="the ETag that the device has")] = "",
    ) -> Response:
        """The bundle that the device should run, and the settings that hold for it, where any do.

        304 while the numbers of both are those in If-None-Match.
        """
        devices.touch(device)
        assignment = assignments.current(device)
        number = auth.number(device)
        etag = f'"{assignment.seq}.{number}"' if number else f'"{assignment.seq}"'
        headers = auth.headers(device) | {"etag": etag}
        if etag in if_none_match.replace(" ", "").split(","):
            return Response(status_code=304, headers=headers)
        asked = {"settings": settings.target(device), "diagnostics": diagnostics.asked(device)}
        told = assignment.model_copy(update=asked)
        return Response(told.model_dump_json(exclude_none=True), 200, headers, JSON)

    return router
