"""Logging in and out: by name and password, or by a one-time code from `dctwire console login`."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from cloud_server.console.door import LOGIN_PATH, Door, require_own_page
from cloud_server.console.sections import ROOT, Section
from cloud_server.console.visit import Desk, Fields, Visit, going, notice_of
from cloud_server.errors import LoginError, UnavailableError
from cloud_server.operators.logins import Begun, Logins, Visitor
from cloud_server.operators.roles import Role
from cloud_server.operators.sessions import Sessions
from shared.errors import PeerError
from shared.wire import ProblemCode

BROWSER_MAX = 200
NAME_MAX = 64


class _Login:
    """The page, the two forms on it, and the way out."""

    def __init__(self, door: Door, desk: Desk, logins: Logins, sessions: Sessions) -> None:
        self._door = door
        self._desk = desk
        self._logins = logins
        self._sessions = sessions

    async def show(self, request: Request) -> Response:
        """The page; who is logged in already goes on."""
        wanted = _wanted(Fields(request.url.query))
        if await self._door.session_of(request) is not None:
            return RedirectResponse(wanted, 303)
        said = notice_of(request)
        return self._page(wanted, "" if said is None else said.text, 200)

    async def enter(self, request: Request) -> Response:
        """One of the two forms; each name, known or not, is answered in the same words and time."""
        require_own_page(request)
        fields = await self._door.fields_of(request)
        wanted = _wanted(fields)
        try:
            begun = await self._begin(fields, self._visitor(request))
        except (PeerError, UnavailableError) as error:
            status = ProblemCode(error.code).status
            return self._page(wanted, _fault(error), status, _retry(error), _name_typed(fields))
        answer = RedirectResponse(wanted, 303)
        self._door.set_cookie(request, answer, begun.token)
        return answer

    async def leave(self, visit: Visit, _fields: Fields) -> Response:
        """End the session that asks."""
        caller = visit.session.caller
        await self._sessions.end(caller.name, caller.token_id, visit.witness("session.end", caller.name))
        answer = going(LOGIN_PATH, "You are logged out.")
        self._door.forget_cookie(visit.request, answer)
        return answer

    async def _begin(self, fields: Fields, visitor: Visitor) -> Begun:
        if code := fields.text("code"):
            return await self._logins.by_code(code, visitor)
        name, password = fields.text("name").lower(), fields.secret("password")
        if not name or not password:
            raise LoginError("write your name and your password, or a one-time code")
        return await self._logins.by_password(name, password, visitor)

    def _visitor(self, request: Request) -> Visitor:
        address = request.client.host if request.client else ""
        browser = request.headers.get("user-agent", "")
        printable = "".join(letter for letter in browser if letter.isprintable() and letter.isascii())
        return Visitor(address, printable[:BROWSER_MAX], self._desk.request_id_of(request))

    def _page(self, wanted: str, said: str, status: int, retry_after: int | None = None, name: str = "") -> Response:
        headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        html = self._desk.pages.render("login.html", wanted=wanted, said=said, is_fault=status != 200, name=name)
        return HTMLResponse(html, status, headers)


def login_section(door: Door, desk: Desk, logins: Logins, sessions: Sessions) -> Section:
    """Logging in and out; not in the navigation."""
    login = _Login(door, desk, logins, sessions)
    routes = (
        Route(LOGIN_PATH, login.show, methods=["GET"]),
        Route(LOGIN_PATH, login.enter, methods=["POST"]),
        door.form("/logout", login.leave, Role.VIEWER),
    )
    return Section("", "/login", Role.VIEWER, routes)


def _wanted(fields: Fields) -> str:
    """Where to go after the login: a page of ours, and nothing that a link from elsewhere may smuggle in."""
    wanted = fields.text("next", 1000)
    is_ours = wanted.startswith(f"{ROOT}/") and not wanted.startswith(f"{ROOT}//") and "\\" not in wanted
    return wanted if is_ours and not wanted.startswith(LOGIN_PATH) else f"{ROOT}/"


def _name_typed(fields: Fields) -> str:
    """The name, so that nobody types it anew; empty where it is none that the form lets through."""
    try:
        return fields.text("name", NAME_MAX)
    except PeerError:
        return ""


def _fault(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def _retry(error: Exception) -> int | None:
    return error.retry_after_seconds if isinstance(error, UnavailableError) else None
