"""`GET /v1/report`: what each version of a family's tables cost and achieved."""

from typing import Annotated

from fastapi import APIRouter, Query

from cloud_server.api.http.endpoint import endpoints
from cloud_server.api.http.openapi import problems
from cloud_server.api.operator.operator_auth import requires
from cloud_server.operators.roles import Role
from cloud_server.registry.report import Report, Reports
from shared.bundle import Family
from shared.wire import ProblemCode


def report_router(reports: Reports) -> APIRouter:
    """Report on a family."""
    router = endpoints()

    @router.get(
        "/v1/report",
        dependencies=[requires(Role.VIEWER)],
        response_description="The report.",
        responses=problems(ProblemCode.NOT_FOUND, ProblemCode.NOT_READY),
    )
    async def get_report(
        family: Annotated[Family, Query(description="which one")],
        since: Annotated[
            float | None,
            Query(description="seconds since 1970; from the full hour on", ge=0, le=1e11, allow_inf_nan=False),
        ] = None,
    ) -> Report:
        """Frames, bytes, savings, accuracy and devices of a family, by version of the tables."""
        return await reports.of(family, since)

    return router
