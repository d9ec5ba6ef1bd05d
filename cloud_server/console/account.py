"""One's own account: the password, the tokens with which programs call, and the sessions that are open."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from starlette.responses import Response

from cloud_server.console.door import Door
from cloud_server.console.sections import ROOT, Section
from cloud_server.console.visit import Fields, Visit
from cloud_server.operators.administration import Administration
from cloud_server.operators.logins import Logins
from cloud_server.operators.roles import Role
from cloud_server.operators.secrets import TOKEN_DAYS
from cloud_server.operators.sessions import Sessions
from cloud_server.storage.rows.logins import SessionRow
from cloud_server.storage.rows.operators import TokenRow
from shared.errors import PeerError

DAYS_MAX = 3650
_PATH = f"{ROOT}/account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the page shows: what lets in now, and of tokens also what did lately.

    Args:
        issued: a token that was just made, shown this once; empty: none was.
        own_session: the id of the session that asks.
    """

    tokens: Sequence[TokenRow]
    ended_tokens: int
    sessions: Sequence[SessionRow]
    own_session: str
    has_password: bool
    issued: str = ""
    default_days: int = TOKEN_DAYS


class _Page:
    """The page and its forms."""

    def __init__(self, administration: Administration, logins: Logins, sessions: Sessions) -> None:
        self._administration = administration
        self._logins = logins
        self._sessions = sessions

    async def show(self, visit: Visit) -> Response:
        """The page."""
        return visit.page("account.html", account=await self._account(visit))

    async def set_password(self, visit: Visit, fields: Fields) -> Response:
        """Set the password of who asks."""
        password = fields.secret("password")
        if password != fields.secret("again"):
            raise PeerError("the two new passwords are not the same")
        witness = visit.witness("operator.password", visit.name)
        caller = visit.session.caller
        had_others = len(await self._sessions.of(visit.name)) > 1
        await self._logins.set_password(caller, visit.name, password, fields.secret("current"), witness)
        return visit.go(_PATH, "Your password is set." + (" Your other sessions have ended." if had_others else ""))

    async def create_token(self, visit: Visit, fields: Fields) -> Response:
        """Make a token for who asks; it stands on the page that follows, and nowhere else."""
        days = fields.number("days")
        if days is None or not 1 <= days <= DAYS_MAX:
            raise PeerError(f"a token lets in for 1 to {DAYS_MAX} days")
        issued = await self._administration.issue(visit.name, days, visit.witness("token.create", visit.name))
        return visit.page("account.html", 201, account=await self._account(visit, issued.token))

    async def revoke_token(self, visit: Visit, _fields: Fields) -> Response:
        """End a token and what came of it."""
        witness_of = partial(visit.witness, "token.revoke")
        revoked = await self._administration.revoke(visit.session.caller, visit.part("token"), witness_of)
        return visit.go(_PATH, f"Token {revoked.row.id} lets nobody in any more.")

    async def end_session(self, visit: Visit, _fields: Fields) -> Response:
        """End one session of who asks."""
        witness = visit.witness("session.end", visit.name)
        await self._sessions.end(visit.name, visit.part("session"), witness)
        return visit.go(_PATH, "That session has ended.")

    async def end_other_sessions(self, visit: Visit, _fields: Fields) -> Response:
        """End all sessions of who asks but this one."""
        await self._sessions.end_others(visit.session.caller, visit.witness("session.end", visit.name))
        return visit.go(_PATH, "All your other sessions have ended.")

    async def _account(self, visit: Visit, issued: str = "") -> Account:
        tokens = await self._administration.tokens(visit.name)
        alive = [row for row in tokens if row.revoked_at is None and (row.expires_at or visit.now + 1) > visit.now]
        return Account(
            tokens=alive,
            ended_tokens=len(tokens) - len(alive),
            sessions=await self._sessions.of(visit.name),
            own_session=visit.session.caller.token_id,
            has_password=await self._logins.has_password(visit.name),
            issued=issued,
        )


def account_section(door: Door, administration: Administration, logins: Logins, sessions: Sessions) -> Section:
    """What lets one in, and what has."""
    page = _Page(administration, logins, sessions)
    routes = (
        door.page("/account", page.show),
        door.form("/account/password", page.set_password, Role.VIEWER),
        door.form("/account/tokens", page.create_token, Role.ADMIN),
        door.form("/account/tokens/{token:str}/revoke", page.revoke_token, Role.VIEWER),
        door.form("/account/sessions/others/end", page.end_other_sessions, Role.VIEWER),
        door.form("/account/sessions/{session:str}/end", page.end_session, Role.VIEWER),
    )
    return Section("Account", "/account", Role.VIEWER, routes, key="m")
