"""Claims, assignments and devices: the fleet, as the operator steers and sees it."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request

from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.json_body import command
from cloud_server.api.http.openapi import problems
from cloud_server.api.operator.call_log import remark
from cloud_server.api.operator.commands import COMMAND_PROBLEMS, Message
from cloud_server.api.operator.rows import DeviceList, device_row
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Devices
from cloud_server.registry.assigning import Assigning
from shared.bundle import Family
from shared.wire import Assignment, ProblemCode


class ClaimRequest(Message):
    """The family that a device may join."""

    family: Family


class Claim(Message):
    """A claim code, shown this once; `expires_at` in seconds since 1970."""

    claim_code: str
    family: str
    expires_at: float


class AssignRequest(Message):
    """Which bundle a family should run."""

    family: Family
    counter: Annotated[int, Field(ge=1, le=2**31 - 1)]


def claims_router(devices: Devices) -> APIRouter:
    """Let devices join."""
    router = endpoints()

    @router.post("/v1/claims", status_code=201, response_description="Made.", responses=problems(*COMMAND_PROBLEMS))
    async def create_claim(request: Request, wanted: Annotated[ClaimRequest, Depends(command(ClaimRequest))]) -> Claim:
        """A single-use claim code, valid for a day; it is shown this once."""
        remark(request, family=wanted.family)
        claim = await devices.create_claim(wanted.family)
        return Claim(claim_code=claim.code, family=claim.family, expires_at=claim.expires_at)

    return router


def assignments_router(assigning: Assigning) -> APIRouter:
    """Say what devices run."""
    router = endpoints()

    @router.post(
        "/v1/assignments",
        status_code=201,
        response_description="Assigned.",
        responses=problems(*COMMAND_PROBLEMS, ProblemCode.NOT_FOUND, ProblemCode.CONFLICT),
    )
    async def post_assignment(
        request: Request, wanted: Annotated[AssignRequest, Depends(command(AssignRequest))]
    ) -> Assignment:
        """Point a family at one of its published bundles; pointing it where it points already changes nothing."""
        remark(request, family=wanted.family, counter=wanted.counter)
        return await assigning.assign(wanted.family, wanted.counter)

    return router


def devices_router(devices: Devices, assignments: Assignments) -> APIRouter:
    """See the devices."""
    router = endpoints()

    @router.get("/v1/devices", response_description="All of them.", responses=problems(ProblemCode.NOT_READY))
    async def list_devices() -> DeviceList:
        """Every device, when it was last here and with which tables."""
        await devices.load()
        return DeviceList(devices=tuple(device_row(device, assignments) for device in devices.all()))

    return router
