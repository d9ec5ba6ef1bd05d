"""The ops plane (:9100): metrics and probes, for machines that watch machines."""

import asyncio
from collections.abc import Callable

from fastapi import APIRouter, FastAPI
from starlette.responses import PlainTextResponse, Response

from cloud_server.api.http.endpoint import endpoints, serve
from cloud_server.api.http.openapi import TEXT, answer, problems
from cloud_server.api.http.problems import Problems
from cloud_server.health import Health
from cloud_server.metrics import Metrics
from shared.wire import Plane, ProblemCode

TITLE = Plane.OPS.value
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


def ops_plane(
    *, metrics: Metrics, health: Health, before_scrape: Callable[[], None], require_life: Callable[[], None]
) -> FastAPI:
    """The application behind the ops listener.

    Args:
        before_scrape: sets the gauges that are only then worked out.
        require_life: raises NotReadyError when something stands still that only a new process can mend.
    """
    app = FastAPI(title=TITLE, openapi_url=None, redirect_slashes=False)
    Problems(TITLE).install(app)
    serve(app, (_metrics_router(metrics, before_scrape), _probes_router(health, require_life)))
    return app


def _metrics_router(metrics: Metrics, before_scrape: Callable[[], None]) -> APIRouter:
    router = endpoints()

    @router.get(
        "/metrics",
        response_class=Response,
        responses=problems() | {200: answer("Every metric.", {EXPOSITION: TEXT})},
    )
    async def get_metrics() -> Response:
        """Every metric, as Prometheus text."""
        before_scrape()
        return Response(await asyncio.to_thread(metrics.exposition), 200, {"content-type": EXPOSITION})

    return router


def _probes_router(health: Health, require_life: Callable[[], None]) -> APIRouter:
    router = endpoints()

    def yes(check: Callable[[], None]) -> PlainTextResponse:
        check()
        return PlainTextResponse("ok\n")

    responses = problems(ProblemCode.NOT_READY) | {200: answer("Yes.")}

    @router.get("/livez", response_class=PlainTextResponse, responses=responses)
    async def livez() -> Response:
        """Whether the event loop and the database's writer turn; if not, start the process anew.

        Both do when the database is gone: a new process would not find it either.
        """
        return yes(require_life)

    @router.get("/startupz", response_class=PlainTextResponse, responses=responses)
    async def startupz() -> Response:
        """Whether the models have been loaded."""
        return yes(health.require_started)

    @router.get("/readyz", response_class=PlainTextResponse, responses=responses)
    async def readyz() -> Response:
        """Whether frames are welcome: not while models are loaded, and not while draining."""
        return yes(health.require_ready)

    return router
