"""`GET /tuf/...`: the signed metadata and the bundles, as files. On the device plane and on the operator plane."""

from email.utils import formatdate
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from cloud_server.api.http.endpoint import endpoints, metered_as
from cloud_server.api.http.openapi import JSON, answer, problems
from cloud_server.registry.tuf_files import TufFiles, may_change
from shared.wire import ProblemCode

_FOREVER = "public, max-age=31536000, immutable"


def tuf_router(files: TufFiles) -> APIRouter:
    """Metadata and targets; everything but the timestamp never changes once it is there."""
    router = endpoints()

    @router.get(
        "/tuf/{name:path}",
        dependencies=[metered_as("tuf")],
        response_class=Response,
        responses=problems(ProblemCode.NOT_FOUND, ProblemCode.NOT_READY)
        | {
            200: answer(
                "Metadata or a bundle; only the timestamp ever changes.",
                {JSON: {"type": "object"}},
                {"Cache-Control": "how long it may be kept", "Date": "the server's clock"},
            )
        },
    )
    async def get_tuf_file(
        name: Annotated[str, Path(description="metadata/<file> or targets/<family>/<file>")],
    ) -> Response:
        """One file of the TUF repository, with the server's date."""
        data = await files.read(name)
        headers = {
            "cache-control": "no-cache" if may_change(name) else _FOREVER,
            "date": formatdate(usegmt=True),
        }
        return Response(data, 200, headers, JSON)

    return router
