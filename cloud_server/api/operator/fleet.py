"""Claims and assignments: who may join, and what a family's devices run."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request

from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.json_body import command
from cloud_server.api.http.openapi import problems
from cloud_server.api.operator.call_log import remark
from cloud_server.api.operator.commands import COMMAND_PROBLEMS, Message
from cloud_server.api.operator.operator_auth import audited, caller_of, requires
from cloud_server.api.operator.rows import BelowFloorRow
from cloud_server.fleet.devices import Devices
from cloud_server.operators.roles import Role
from cloud_server.registry.publishing import Publishing
from cloud_server.rollout.steering import Steering
from shared.bundle import Family
from shared.wire import ProblemCode

ASSIGN_PROBLEMS = (ProblemCode.CONFLICT, ProblemCode.NOT_LISTED, ProblemCode.BELOW_FLOOR)
"""Why a bundle that is published may still not be assigned."""
COUNTER_MAX = 2**31 - 1
Counter = Annotated[int, Field(ge=1, le=COUNTER_MAX)]


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
    counter: Counter


class Assigned(Message):
    """The assignment as devices get it, the rollout that it ended, and what of the family stays below its floor."""

    seq: int
    family: str
    counter: int
    target: str
    superseded: str | None
    below_floor: BelowFloorRow


def claims_router(devices: Devices) -> APIRouter:
    """Let devices join."""
    router = endpoints()

    @router.post(
        "/v1/claims",
        dependencies=[requires(Role.OPERATOR)],
        status_code=201,
        response_description="Made.",
        responses=problems(*COMMAND_PROBLEMS),
    )
    async def create_claim(request: Request, wanted: Annotated[ClaimRequest, Depends(command(ClaimRequest))]) -> Claim:
        """A single-use claim code, valid for a day; it is shown this once."""
        remark(request, family=wanted.family)
        claim = await devices.create_claim(wanted.family, audited(request, "claim.create", wanted.family))
        return Claim(claim_code=claim.code, family=claim.family, expires_at=claim.expires_at)

    return router


def assignments_router(steering: Steering, publishing: Publishing) -> APIRouter:
    """Say what devices run."""
    router = endpoints()

    @router.post(
        "/v1/assignments",
        dependencies=[requires(Role.OPERATOR)],
        status_code=201,
        response_description="Assigned.",
        responses=problems(*COMMAND_PROBLEMS, ProblemCode.NOT_FOUND, *ASSIGN_PROBLEMS),
    )
    async def post_assignment(
        request: Request, wanted: Annotated[AssignRequest, Depends(command(AssignRequest))]
    ) -> Assigned:
        """Point a family at one of its published bundles at once; pointing it where it points already changes nothing.

        An active rollout of the family is superseded.
        """
        remark(request, family=wanted.family, counter=wanted.counter)
        witness = audited(request, "family.assign", wanted.family)
        made, ended = await steering.assign(wanted.family, wanted.counter, caller_of(request).name, witness)
        below = BelowFloorRow.of(await publishing.below_floor(wanted.family))
        return Assigned(
            seq=made.seq,
            family=made.family,
            counter=made.counter,
            target=made.target,
            superseded=ended,
            below_floor=below,
        )

    return router
