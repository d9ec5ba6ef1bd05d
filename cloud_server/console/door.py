"""Who may come in: every page and form goes through here, which finds the session and checks the role and the form.

A form must come from a page of ours: the browser says so (`Sec-Fetch-Site`, `Origin`), and the form carries a proof
that follows from the session's cookie. The cookie itself goes along from no other site (`SameSite=Strict`).
"""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cloud_server.console.sections import ROOT
from cloud_server.console.stream import no_events
from cloud_server.console.visit import Desk, Fields, Visit, address_in, came_from, going
from cloud_server.errors import LoginError, MediaTypeError, RoleError
from cloud_server.operators.roles import Role
from cloud_server.operators.sessions import Session, Sessions
from shared.errors import PeerError

FORM = "application/x-www-form-urlencoded"
FORM_MAX_BYTES = 64 << 10
LOGIN_PATH = f"{ROOT}/login"
PLAIN_COOKIE, SECURE_COOKIE = "dctwire-console", "__Host-dctwire-console"
"""A name that begins with `__Host-` is set by its own host over TLS alone (RFC 6265bis 4.1.3.2)."""

ReadBody: TypeAlias = Callable[[Request, int], Awaitable[bytes]]
"""Reads a request's body of at most so many bytes; raises as the listener refuses bodies."""
Show: TypeAlias = Callable[[Visit], Awaitable[Response]]
Act: TypeAlias = Callable[[Visit, Fields], Awaitable[Response]]


class ForeignFormError(PeerError):
    """A form that was not sent by a page of ours, or by one of a session that has ended."""


@dataclass(frozen=True, slots=True)
class Transport:
    """Whether a browser speaks TLS with the console: the listener does, or a proxy before it that is believed."""

    is_tls: bool
    is_behind_proxy: bool

    def is_secure(self, request: Request) -> bool:
        """Whether this request came through TLS, as far as we know."""
        said = request.headers.get("x-forwarded-proto", "")
        return self.is_tls or (self.is_behind_proxy and said.lower() == "https")


class Door:
    """Makes routes of what sections show and do."""

    def __init__(self, sessions: Sessions, desk: Desk, transport: Transport, read_body: ReadBody) -> None:
        self._sessions = sessions
        self._desk = desk
        self._transport = transport
        self._read_body = read_body

    def page(self, path: str, show: Show, role: Role = Role.VIEWER) -> Route:
        """A route of a page, for whoever has a role; who is not logged in is led to do so, and back."""

        async def answer(request: Request) -> Response:
            session = await self.session_of(request)
            if session is None:
                return _to_login(request)
            return await show(self._admitted(request, session, role))

        return Route(ROOT + path, answer, methods=["GET"])

    def stream(self, path: str, follow: Show, role: Role = Role.VIEWER) -> Route:
        """A route of a part that is followed, as `page` is one of a page; HEAD opens nothing (RFC 9110 9.3.2)."""

        async def answer(visit: Visit) -> Response:
            return no_events() if visit.request.method == "HEAD" else await follow(visit)

        return self.page(path, answer, role)

    def form(self, path: str, act: Act, role: Role) -> Route:
        """A route of a form, for whoever has a role.

        What a use case refuses is said on the page with the form, where the browser says which that is.
        """

        async def answer(request: Request) -> Response:
            require_own_page(request)
            session = await self.session_of(request)
            if session is None:
                return going(LOGIN_PATH, "Your session has ended. Log in, and try again.", is_fault=True)
            fields = await self.fields_of(request)
            if not hmac.compare_digest(fields.text("csrf").encode(), session.csrf.encode()):
                raise ForeignFormError("this form is of another session; load the page again")
            return await _said(request, lambda: act(self._admitted(request, session, role), fields))

        return Route(ROOT + path, answer, methods=["POST"])

    async def session_of(self, request: Request) -> Session | None:
        """The session of a request; None where it has none that goes on.

        Raises:
            StorageError: the database does not answer.
        """
        token = request.cookies.get(self._cookie(request), "")
        address = request.client.host if request.client else ""
        session = await self._sessions.find(token, address) if token else None
        if session is not None:
            request.scope["state"]["caller"] = session.caller
        return session

    async def is_let_in(self, request: Request, role: Role = Role.VIEWER) -> bool:
        """Whether the session of a request goes on still, of somebody who has a role.

        Raises:
            StorageError: the database does not answer.
        """
        session = await self.session_of(request)
        return session is not None and session.caller.role.may_act_as(role)

    async def fields_of(self, request: Request) -> Fields:
        """What a form says.

        Raises:
            MediaTypeError, PeerError: it is no form, or too long a one.
        """
        declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if declared != FORM:
            raise MediaTypeError(f"send {FORM}")
        body = await self._read_body(request, FORM_MAX_BYTES)
        return Fields(str(body, "latin-1"))

    def set_cookie(self, request: Request, answer: Response, token: str) -> None:
        """Have the browser keep a session's token, for our pages alone, and until it is closed."""
        answer.set_cookie(
            self._cookie(request),
            token,
            path="/",
            secure=self._transport.is_secure(request),
            httponly=True,
            samesite="strict",
        )

    def forget_cookie(self, request: Request, answer: Response) -> None:
        """Have the browser forget a session's token."""
        answer.delete_cookie(
            self._cookie(request),
            path="/",
            secure=self._transport.is_secure(request),
            httponly=True,
            samesite="strict",
        )

    def _cookie(self, request: Request) -> str:
        return SECURE_COOKIE if self._transport.is_secure(request) else PLAIN_COOKIE

    def _admitted(self, request: Request, session: Session, role: Role) -> Visit:
        session.caller.require(role)
        return Visit(request, session, Fields(request.url.query), self._desk)


def require_own_page(request: Request) -> None:
    """Check that a form was sent by a page of this very server.

    Raises:
        ForeignFormError: it was not, or the browser says nothing of it, as programs do: those have the API.
    """
    site = request.headers.get("sec-fetch-site")
    origin = address_in(request, "origin")
    is_of_here = origin is not None and origin.netloc == request.headers.get("host", "")
    is_said = "origin" in request.headers
    if (site is not None and site != "same-origin") or not (is_of_here or (not is_said and site is not None)):
        raise ForeignFormError("this form was not sent by a page of this server")


async def _said(request: Request, act: Callable[[], Awaitable[Response]]) -> Response:
    """What a form has done; what was refused is said on the page that it came from."""
    try:
        return await act()
    except RoleError:
        raise
    except (PeerError, LoginError) as error:
        back = came_from(request)
        if back is None:
            raise
        return going(back, str(error), is_fault=True)


def _to_login(request: Request) -> Response:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    is_first = wanted in (ROOT, f"{ROOT}/")
    return RedirectResponse(LOGIN_PATH if is_first else f"{LOGIN_PATH}?next={quote(wanted, safe='')}", 303)
