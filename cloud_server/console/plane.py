"""The console as an application of its own under `/console`: its sections, what it refuses, and what frames them.

A page is a section: a module with a function that makes a `Section` of the door and of what the page shows, and its
line in `_sections`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from cloud_server.console.account import account_section
from cloud_server.console.audit import audit_section
from cloud_server.console.device import DeviceParts
from cloud_server.console.door import Door, ReadBody, Transport
from cloud_server.console.fleet import fleet_section
from cloud_server.console.framing import Framing
from cloud_server.console.live import live_section
from cloud_server.console.login import login_section
from cloud_server.console.overview import DAYS, Overview, overview_of, overview_section
from cloud_server.console.rendering import Asset, Pages
from cloud_server.console.review import review_section
from cloud_server.console.rollouts import rollouts_section
from cloud_server.console.sections import ROOT, Section
from cloud_server.console.situation import Situation
from cloud_server.console.stream import LiveParts
from cloud_server.console.trainings import trainings_section
from cloud_server.console.versions import VersionParts, versions_section
from cloud_server.console.visit import Desk
from cloud_server.errors import Refusal, UnavailableError
from cloud_server.feedback.latest_frames import LatestFrames
from cloud_server.feedback.reviewing import Reviewing
from cloud_server.feedback.samples import Samples
from cloud_server.fleet.devices import Devices
from cloud_server.fleet.listing import Listing
from cloud_server.operators.administration import Administration
from cloud_server.operators.audit import Audit
from cloud_server.operators.logins import Logins
from cloud_server.operators.sessions import Sessions
from cloud_server.registry.catalogue import Catalogue
from cloud_server.registry.daily import DailySums
from cloud_server.rollout.steering import Steering
from cloud_server.trainings.runs import Runs
from shared.errors import PeerError
from shared.wire import ProblemCode

IMMUTABLE = "public, max-age=31536000, immutable"
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleParts:
    """What the console's pages show and do: the same use cases that the API calls."""

    sessions: Sessions
    logins: Logins
    administration: Administration
    audit: Audit
    live: LiveParts
    situation: Situation
    daily: DailySums
    listing: Listing
    steering: Steering
    catalogue: Catalogue
    runs: Runs
    latest_frames: LatestFrames
    devices: Devices
    samples: Samples
    reviewing: Reviewing
    fleet: DeviceParts
    versions: VersionParts


def console_app(
    parts: ConsoleParts,
    transport: Transport,
    read_body: ReadBody,
    request_id_of: Callable[[Scope], str],
    give_up: Callable[[Scope, Exception], Response],
    now: Callable[[], float],
) -> ASGIApp:
    """The console.

    Args:
        read_body: reads the bodies of forms.
        request_id_of: a request's id, by its scope.
        give_up: ends a request whose sender has gone, or was cut off, as the listener's other planes do.
        now: seconds since 1970.
    """
    pages, sections = Pages(now), list[Section]()
    desk = Desk(pages, parts.audit, lambda request: request_id_of(request.scope), lambda: tuple(sections))
    door = Door(parts.sessions, desk, transport, read_body)
    sections += _sections(door, desk, parts)
    routes = [route for section in sections for route in section.routes]
    refusals = _Refusals(desk, door)

    async def abandon(request: Request, error: Exception) -> Response:
        return give_up(request.scope, error)

    app = Starlette(
        routes=[*routes, _static(pages)],
        exception_handlers={
            HTTPException: refusals.answer,
            PeerError: refusals.answer,
            UnavailableError: refusals.answer,
            ClientDisconnect: abandon,
            Exception: refusals.answer,
        },
    )
    app.router.redirect_slashes = False
    return Framing(app, request_id_of)


def _sections(door: Door, desk: Desk, parts: ConsoleParts) -> tuple[Section, ...]:
    """Every section, in the order of the navigation."""

    async def gather() -> Overview:
        daily, facts = await parts.daily.of_last(DAYS), await parts.situation.facts()
        devices = sum(row.devices - row.revoked for row in await parts.listing.counts())
        return overview_of(daily, facts, devices, desk.pages.now(), desk.has_page)

    return (
        overview_section(door, desk.pages, parts.live, gather),
        fleet_section(door, parts.fleet),
        versions_section(door, parts.versions),
        rollouts_section(door, parts.steering, parts.catalogue, parts.audit, parts.live, parts.listing),
        trainings_section(door, parts.runs, parts.catalogue),
        live_section(door, parts.latest_frames, parts.devices, parts.samples, parts.catalogue, parts.live),
        review_section(door, parts.reviewing),
        audit_section(door, parts.audit),
        account_section(door, parts.administration, parts.logins, parts.sessions),
        login_section(door, desk, parts.logins, parts.sessions),
    )


def beside(api: ASGIApp, console: ASGIApp) -> ASGIApp:
    """One application of two: the console answers below its root, and leads browsers there that ask for `/`."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        is_console = path == ROOT or path.startswith(f"{ROOT}/")
        if path == "/" and scope.get("method") == "GET" and _is_for_people(scope):
            await Response(status_code=303, headers={"location": f"{ROOT}/"})(scope, receive, send)
        else:
            await (console if is_console else api)(scope, receive, send)

    return answer


class _Refusals:
    """Says in a page why there is none, or why a form did nothing."""

    def __init__(self, desk: Desk, door: Door) -> None:
        self._desk = desk
        self._door = door

    async def answer(self, request: Request, error: Exception) -> Response:
        """A page that says it; in whole words, never with a trace."""
        status, headers = _status(error), _headers(error)
        said = _said(error)
        if status == 500:
            _log.error("console-failed", request_id=self._desk.request_id_of(request), exc_info=error)
        html = self._desk.pages.render(
            "error.html", status=status, said=said, request_id=self._desk.request_id_of(request)
        )
        return HTMLResponse(html, status, headers)


def _status(error: Exception) -> int:
    if isinstance(error, HTTPException):
        return error.status_code
    if isinstance(error, Refusal):
        return ProblemCode(error.code).status
    return 500


def _said(error: Exception) -> str:
    if isinstance(error, HTTPException):
        return {404: "There is no such page."}.get(error.status_code, f"{error.detail}.")
    if isinstance(error, Refusal):
        text = str(error)
        return f"{text[:1].upper()}{text[1:]}."
    return "The server met a fault of its own. It is logged under the number below."


def _headers(error: Exception) -> dict[str, str]:
    if isinstance(error, UnavailableError):
        return {"retry-after": str(error.retry_after_seconds)}
    return dict(error.headers or {}) if isinstance(error, HTTPException) else {}


def _static(pages: Pages) -> Route:
    async def give(request: Request) -> Response:
        asset = pages.assets.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(404)
        return _given(asset, request.headers.get("accept-encoding", ""))

    return Route(f"{ROOT}/static/{{name}}", give, methods=["GET"])


def _given(asset: Asset, accepted: str) -> Response:
    """A static file, which stays as it is for good: another content has another name."""
    headers = {"cache-control": IMMUTABLE, "vary": "accept-encoding"}
    if "gzip" in accepted:
        return Response(asset.compressed, headers=headers | {"content-encoding": "gzip"}, media_type=asset.media_type)
    return Response(asset.content, headers=headers, media_type=asset.media_type)


def _is_for_people(scope: Scope) -> bool:
    return any(name == b"accept" and b"text/html" in value for name, value in scope.get("headers", ()))
