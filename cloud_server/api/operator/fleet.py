"""Claims, assignments and devices: the fleet, as the operator steers and sees it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import Field
from starlette.requests import Request

from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.json_body import command
from cloud_server.api.http.openapi import problems
from cloud_server.api.operator.call_log import remark
from cloud_server.api.operator.commands import COMMAND_PROBLEMS, Message
from cloud_server.api.operator.rows import DeviceList, DeviceRow, device_row
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Devices
from cloud_server.registry.assigning import Assigning
from shared.bundle import Family
from shared.wire import Assignment, ProblemCode

REVOCATION = "/v1/devices/{device_id}/revocation"
DeviceId = Annotated[str, Path(description="as enrolment gave it", pattern=r"^[a-z0-9]{1,16}$")]
_FOUND_OR_NOT = (ProblemCode.NOT_FOUND, ProblemCode.NOT_READY)


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
    """See the devices, and say which are let in."""
    router = endpoints()

    @router.get("/v1/devices", response_description="All of them.", responses=problems(ProblemCode.NOT_READY))
    async def list_devices() -> DeviceList:
        """Every device, when it was last here and with which tables."""
        await devices.load()
        await devices.follow()
        return DeviceList(devices=tuple(device_row(device, devices, assignments) for device in devices.all()))

    @router.put(REVOCATION, response_description="Revoked.", responses=problems(*_FOUND_OR_NOT))
    async def revoke(device_id: DeviceId) -> DeviceRow:
        """Refuse the device's token, here at once and at other replicas within two seconds; safe to repeat."""
        return device_row(await devices.revoke(device_id), devices, assignments)

    @router.delete(REVOCATION, response_description="Restored.", responses=problems(*_FOUND_OR_NOT))
    async def restore(device_id: DeviceId) -> DeviceRow:
        """Take the device's token again; safe to repeat."""
        return device_row(await devices.restore(device_id), devices, assignments)

    return router
