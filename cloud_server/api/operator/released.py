"""The released fallback of a family: which one answers its frames of unknown tables, if any does."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import Field
from starlette.requests import Request

from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.json_body import command
from cloud_server.api.http.openapi import problems
from cloud_server.api.operator.call_log import remark
from cloud_server.api.operator.commands import COMMAND_PROBLEMS, Message
from cloud_server.api.operator.operator_auth import audited, requires
from cloud_server.operators.roles import Role
from cloud_server.registry.releasing import Releasing
from shared.bundle import Family
from shared.wire import ProblemCode

RELEASED = "/v1/fallbacks/{family}/released"
FallbackName = Annotated[str, Field(max_length=80, pattern="^[a-z0-9][a-z0-9-]{0,62}/fallback-[0-9a-f]{6}$")]


class ReleaseRequest(Message):
    """Which fallback shall answer a family."""

    name: FallbackName


class Released(Message):
    """The fallback that answers a family; null: none."""

    family: str
    name: str | None


def released_router(releasing: Releasing) -> APIRouter:
    """Say which fallback answers. Other replicas follow within two seconds; both are safe to repeat."""
    router, may_steer = endpoints(), [requires(Role.OPERATOR)]

    @router.put(
        RELEASED,
        dependencies=may_steer,
        response_description="Released.",
        responses=problems(*COMMAND_PROBLEMS, ProblemCode.NOT_FOUND, ProblemCode.CONFLICT, ProblemCode.NOT_LISTED),
    )
    async def release(
        request: Request,
        family: Annotated[Family, Path()],
        wanted: Annotated[ReleaseRequest, Depends(command(ReleaseRequest))],
    ) -> Released:
        """Have a published fallback answer the family's frames of unknown tables, in the place of any other."""
        remark(request, family=family, name=wanted.name)
        await releasing.release(family, wanted.name, audited(request, "fallback.release", family))
        return Released(family=family, name=wanted.name)

    @router.delete(
        RELEASED,
        dependencies=may_steer,
        response_description="Withdrawn.",
        responses=problems(ProblemCode.NOT_READY),
    )
    async def withdraw(request: Request, family: Annotated[Family, Path()]) -> Released:
        """Have no fallback answer the family: its bundles answer frames of unknown tables, as far as they can."""
        remark(request, family=family)
        await releasing.withdraw(family, audited(request, "fallback.withdraw", family))
        return Released(family=family, name=None)

    return router
