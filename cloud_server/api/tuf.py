"""`GET /tuf/...`: the signed metadata and the bundles, as files. On the device plane and on the operator plane."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from cloud_server.api.http.endpoint import endpoints, metered_as
from cloud_server.api.http.openapi import JSON, answer, problems
from cloud_server.registry.tuf_files import TufFiles, may_change
from shared.wire import ProblemCode

_FOREVER = "max-age=31536000, immutable"


def tuf_router(files: TufFiles) -> APIRouter:
    """Metadata and targets; everything but timestamps never changes once it is there."""
    router = endpoints()

    @router.get(
        "/tuf/{name:path}",
        dependencies=[metered_as("tuf")],
        response_class=Response,
        responses=problems(ProblemCode.NOT_FOUND, ProblemCode.NOT_READY)
        | {
            200: answer(
                "Metadata or a bundle; only timestamps ever change.",
                {JSON: {"type": "object"}},
                {"Cache-Control": "how long it may be kept"},
            )
        },
    )
    async def get_tuf_file(
        name: Annotated[str, Path(description="<version>.root.json or <family>/<file>")],
    ) -> Response:
        """One file of the TUF repository. A version of the root that is not there is a 404 without a body."""
        data = await files.read(name)
        return Response(data, 200, {"cache-control": "no-cache" if may_change(name) else _FOREVER}, JSON)

    return router
