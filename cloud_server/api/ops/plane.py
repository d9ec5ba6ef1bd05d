"""The ops plane (:9100): metrics and probes, for machines that watch machines."""

import asyncio
import gzip
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from cloud_server.api.http.endpoint import endpoints, serve
from cloud_server.api.http.openapi import TEXT, answer, problems
from cloud_server.api.http.problems import Problems
from cloud_server.health import Health
from cloud_server.metrics import Metrics
from shared.wire import Plane, ProblemCode

TITLE = Plane.OPS.value
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
_COMPRESSION = 1  # the lowest: numbers and names shrink to a tenth with it, too


@dataclass(frozen=True, slots=True)
class Gauges:
    """Sets the gauges that are worked out at each scrape.

    Args:
        on_loop: those of what lives on the event loop, and takes no time; called there, first.
        in_thread: all others; called in a thread.
    """

    on_loop: Callable[[], None]
    in_thread: Callable[[], None]


def ops_plane(*, metrics: Metrics, health: Health, gauges: Gauges, require_life: Callable[[], None]) -> FastAPI:
    """The application behind the ops listener.

    Args:
        require_life: raises NotReadyError when something stands still that only a new process can mend.
    """
    app = FastAPI(title=TITLE, openapi_url=None, redirect_slashes=False)
    Problems(TITLE).install(app)
    serve(app, (_metrics_router(metrics, gauges), _probes_router(health, require_life)))
    return app


def _metrics_router(metrics: Metrics, gauges: Gauges) -> APIRouter:
    router, one_at_a_time = endpoints(), asyncio.Lock()

    def scraped(*, is_compressed: bool) -> bytes:
        gauges.in_thread()
        text = metrics.exposition()
        return gzip.compress(text, _COMPRESSION) if is_compressed else text

    @router.get(
        "/metrics",
        response_class=Response,
        responses=problems() | {200: answer("Every metric.", {EXPOSITION: TEXT})},
    )
    async def get_metrics(request: Request) -> Response:
        """Every metric, as Prometheus text; compressed where that is asked for, as Prometheus does."""
        is_compressed = "gzip" in request.headers.get("accept-encoding", "")
        coding = {"content-encoding": "gzip"} if is_compressed else {}
        async with one_at_a_time:
            gauges.on_loop()
            text = await asyncio.to_thread(scraped, is_compressed=is_compressed)
        return Response(text, 200, {"content-type": EXPOSITION, "vary": "accept-encoding"} | coding)

    return router


def _probes_router(health: Health, require_life: Callable[[], None]) -> APIRouter:
    router = endpoints()

    def yes(check: Callable[[], None]) -> PlainTextResponse:
        check()
        return PlainTextResponse("ok\n")

    responses = problems(ProblemCode.NOT_READY) | {200: answer("Yes.")}

    @router.get("/livez", response_class=PlainTextResponse, responses=responses)
    async def livez() -> Response:
        """Whether the event loop and the database's writer turn, and threads are left to classify; if not, start anew.

        They do when the database is gone: a new process would not find it either.
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
