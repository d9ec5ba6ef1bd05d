"""The ops plane (:9100): metrics and probes, for machines that watch machines."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import FastAPI
from starlette.responses import PlainTextResponse, Response

from cloud_server.api.http.openapi import add_document
from cloud_server.api.http.problems import install_problems
from cloud_server.api.ops.operations import EXPOSITION, OPS_OPERATIONS
from cloud_server.errors import NotReadyError
from cloud_server.metrics import Metrics


@dataclass(slots=True)
class Health:
    """How far the process is: started once its models are loaded, ready until it drains."""

    is_started: bool = False
    is_draining: bool = False

    def require_ready(self) -> None:
        """Whether frames are welcome.

        Raises:
            NotReadyError: not yet, or no longer.
        """
        if not self.is_started or self.is_draining:
            raise NotReadyError("draining" if self.is_draining else "models are being loaded")


def ops_plane(
    metrics: Metrics, health: Health, before_scrape: Callable[[], None], require_life: Callable[[], None]
) -> FastAPI:
    """The application behind the ops listener.

    Args:
        before_scrape: sets the gauges that are only then worked out.
        require_life: raises NotReadyError when something stands still that only a new process can mend.
    """
    app = FastAPI(title="dctwire ops plane", openapi_url=None, redirect_slashes=False)
    install_problems(app, lambda _request, _reason: {})

    @app.get("/metrics")
    async def get_metrics() -> Response:
        """Prometheus text."""
        before_scrape()
        return Response(await asyncio.to_thread(metrics.exposition), 200, {"content-type": EXPOSITION})

    @app.get("/livez")
    async def livez() -> Response:
        """The event loop turns, for it answers, and so does the database's writer, even when the database is gone."""
        require_life()
        return PlainTextResponse("ok\n")

    @app.get("/startupz")
    async def startupz() -> Response:
        """The models have been loaded."""
        if not health.is_started:
            raise NotReadyError("models are being loaded")
        return PlainTextResponse("ok\n")

    @app.get("/readyz")
    async def readyz() -> Response:
        """Frames are welcome."""
        health.require_ready()
        return PlainTextResponse("ok\n")

    add_document(app, OPS_OPERATIONS)
    return app
