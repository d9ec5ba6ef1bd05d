"""Logging in to the console: by password or by a one-time code; and setting what one logs in with."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cloud_server.errors import (
    CodesTooOftenError,
    GuessedLoginsError,
    LoginError,
    NotFoundError,
    QuotaError,
    RoleError,
)
from cloud_server.fleet.guesses import Guesses
from cloud_server.fleet.quota import Quota, Rate
from cloud_server.operators.accounts import Caller
from cloud_server.operators.audit import Call, note
from cloud_server.operators.passwords import Passwords, require_strong
from cloud_server.operators.roles import Role
from cloud_server.operators.secrets import code_sha256, new_login_code, new_session_id, new_session_token, token_sha256
from cloud_server.operators.sessions import Lifetime
from cloud_server.operators.slowing import Slowing
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import logins as rows
from cloud_server.storage.rows import operators
from cloud_server.storage.witness import Witness

CODE_SECONDS = 600.0
CODES_AT_ONCE, CODES_PER_SECOND = 10, 10 / 60
"""How often one operator may ask for a code: each is a line of the audit, of which webhooks are told."""
NAME_MAX, BROWSER_MAX = 64, 200
_NO_CODE = "this code is none, was used already, or is older than ten minutes"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks to be let in: from where, with which browser (as it calls itself), in which request."""

    address: str
    browser: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A session that has begun: its token, for the browser's cookie, and its operator."""

    token: str
    operator: str


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A one-time code, shown this once, and until when it is good (seconds since 1970)."""

    code: str
    expires_at: float


class Logins:
    """How operators come to a session.

    Whoever is refused learns nothing of why: there is no such operator, it is disabled, has no password or another one.

    Args:
        now: seconds since 1970.
        monotonic: seconds on a clock that never goes back.
    """

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        lifetime: Lifetime,
        now: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._lifetime = lifetime
        self._now = now
        self._monotonic = monotonic
        self._codes_issued: Quota[str] = Quota(Rate(frames_per_second=CODES_PER_SECOND, burst_frames=CODES_AT_ONCE))
        self._slowing = Slowing(monotonic)
        self._slowing_changes = Slowing(monotonic)
        self._passwords_guessed = Guesses(monotonic, LoginError, GuessedLoginsError)
        self._codes_guessed = Guesses(monotonic, LoginError, GuessedLoginsError)

    async def by_password(self, name: str, password: str, visitor: Visitor) -> Begun:
        """Begin a session with a name and a password.

        Raises:
            LoginError: they do not match.
            GuessedLoginsError: so many wrong ones came of this name, or from this address, that this one must wait.
            QueueFullError: too many log in at once.
            StorageError: the database does not answer.
        """
        async with self._passwords_guessed.attempt(visitor.address):
            row = await self._checked(name, password)
        return await self._begin(row.operator, visitor, hashed=row.hash)

    async def by_code(self, code: str, visitor: Visitor) -> Begun:
        """Begin a session with a one-time code, which is used up by that.

        A good one lets in whatever else comes from its address: nobody guesses 98 random bits, so only wrong ones wait.

        Raises:
            LoginError: it is none, was used, or has expired.
            GuessedLoginsError: so many wrong ones came from this address that this one must wait.
            StorageError: the database does not answer.
        """
        try:
            return await self._begin_by_code(code_sha256(code), visitor)
        except LoginError:
            self._codes_guessed.count_wrong(visitor.address)
            raise

    async def issue_code(self, caller: Caller, witness: Witness) -> IssuedCode:
        """Make a one-time code for the caller, in the place of any earlier one.

        Raises:
            CodesTooOftenError: the caller has asked for so many that this one must wait; says how long.
            StorageError: the database does not answer.
        """
        try:
            self._codes_issued.take(caller.name, 1, self._monotonic())
        except QuotaError as error:
            raise CodesTooOftenError(error.retry_after_seconds) from error
        code, now = new_login_code(), self._now()
        via_token = caller.token_id or None
        row = rows.CodeRow(code_sha256(code), caller.name, now + CODE_SECONDS, via_token)
        await self._database.write(partial(_add_code, row=row, now=now, witness=witness))
        return IssuedCode(code, row.expires_at)

    async def has_password(self, operator: str) -> bool:
        """Whether an operator has a password.

        Raises:
            StorageError: the database does not answer.
        """
        return await self._database.read(partial(rows.password_set_at, operator=operator)) is not None

    async def set_password(
        self, caller: Caller, name: str, password: str, current: str | None, witness: Witness
    ) -> None:
        """Set an operator's password; all other sessions of the operator end.

        Args:
            current: the caller's own password up to now; not asked for where there is none, nor of an admin who sets
                another operator's.

        Raises:
            RoleError: it is another operator's, and the caller is no admin.
            NotFoundError: there is no such operator.
            WeakPasswordError: it is too easy to guess.
            LoginError, GuessedLoginsError: the current password is another one; or too many were.
            StorageError, QueueFullError: not now.
        """
        if name != caller.name and caller.role is not Role.ADMIN:
            raise RoleError(caller.name, caller.role, Role.ADMIN)
        require_strong(password, name)
        row = await self._database.read(partial(rows.login_of, operator=name))
        if row is None:
            raise NotFoundError(f"there is no operator {name}")
        if name == caller.name and row.hash is not None:
            await self._require_current(caller, current or "", row.hash)
        hashed = await self._passwords.hashed(password)
        await self._database.write(
            partial(_set_password, caller=caller, name=name, hashed=hashed, now=self._now(), witness=witness)
        )

    async def _require_current(self, caller: Caller, current: str, stored: str) -> None:
        """Check it against a count of its own, which nobody who is not logged in adds to."""
        with self._slowing_changes.attempt(caller.name):
            if not await self._passwords.is_right(current, stored):
                raise LoginError("the current password is another one")

    async def _checked(self, name: str, password: str) -> rows.LoginRow:
        with self._slowing.attempt(name[:NAME_MAX]):
            row = await self._database.read(partial(rows.login_of, operator=name))
            stored = None if row is None or row.disabled_at is not None else row.hash
            if not await self._passwords.is_right(password, stored) or row is None:
                raise LoginError("name and password do not match")
            return row

    async def _begin(self, operator: str, visitor: Visitor, hashed: str | None) -> Begun:
        token = new_session_token()
        begin = partial(_begin, token=token, visitor=visitor, now=self._now(), lifetime=self._lifetime)
        await self._database.write(lambda transaction: begin(transaction, _let_in(transaction, operator, hashed)))
        return Begun(token, operator)

    async def _begin_by_code(self, sha256: bytes, visitor: Visitor) -> Begun:
        token, now = new_session_token(), self._now()
        if not await self._database.read(partial(rows.has_code, sha256=sha256, now=now)):
            raise LoginError(_NO_CODE)

        def job(transaction: Transaction) -> str:
            taken = rows.take_code(transaction, sha256, now)
            row = None if taken is None else operators.find(transaction, taken.operator)
            if taken is None or row is None or row.disabled_at is not None:
                raise LoginError(_NO_CODE)
            way = _Way("code", taken.via_token)
            return _begin(transaction, (row, way), token=token, visitor=visitor, now=now, lifetime=self._lifetime)

        return Begun(token, await self._database.write(job))


@dataclass(frozen=True, slots=True)
class _Way:
    """How somebody was let in: by a password or a code, and the token that this goes back to."""

    name: str
    via_token: str | None = None


def _let_in(transaction: Transaction, operator: str, hashed: str | None) -> tuple[operators.OperatorRow, _Way]:
    """The operator's row, where nothing has changed since the password was checked."""
    row, login = operators.find(transaction, operator), rows.login_of(transaction, operator)
    if row is None or login is None or row.disabled_at is not None or login.hash != hashed:
        raise LoginError("name and password do not match")
    return row, _Way("password")


def _begin(
    transaction: Transaction,
    let_in: tuple[operators.OperatorRow, _Way],
    *,
    token: str,
    visitor: Visitor,
    now: float,
    lifetime: Lifetime,
) -> str:
    operator, way = let_in
    rows.forget_ended(transaction, lifetime.limits(now))
    session = rows.SessionRow(
        sha256=token_sha256(token),
        id=new_session_id(),
        operator=operator.name,
        begun_at=now,
        used_at=now,
        address=visitor.address[:NAME_MAX],
        browser=visitor.browser[:BROWSER_MAX],
        via_token=way.via_token,
        role=operator.role,
    )
    rows.add_session(transaction, session)
    call = Call(Caller(operator.name, Role(operator.role), session.id, visitor.address), visitor.request_id)
    facts = {"id": session.id, "by": way.name}
    at_ms = round(now * 1000)
    note(transaction, None, facts, call=call, action="session.begin", subject=operator.name, at_ms=at_ms)
    return operator.name


def _add_code(transaction: Transaction, row: rows.CodeRow, now: float, witness: Witness) -> None:
    rows.add_code(transaction, row, now)
    witness(transaction, None, {"expires_at": round(row.expires_at)})


def _set_password(
    transaction: Transaction, caller: Caller, name: str, hashed: str, now: float, witness: Witness
) -> None:
    if operators.find(transaction, name) is None:  # locks the row, so that two who set it take turns
        raise NotFoundError(f"there is no operator {name}")
    before = rows.password_set_at(transaction, name)
    rows.set_password(transaction, name, hashed, now)
    rows.end_sessions(transaction, name, but=caller.token_id if name == caller.name else None)
    set_at = None if before is None else round(before)
    witness(transaction, {"password_set_at": set_at}, {"password_set_at": round(now)})
