"""Operators and their tokens: who is calling, and what they may do."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from cloud_server.errors import (
    EndedOperatorTokenError,
    GuessedOperatorTokensError,
    OperatorTokenError,
    RoleError,
    StorageError,
)
from cloud_server.fleet.guesses import Guesses
from cloud_server.operators.roles import Role
from cloud_server.operators.secrets import TOKEN_DAYS, new_token_id, token_sha256
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import operators as rows

DAY_SECONDS = 24 * 3600.0
FIRST_ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls the operator plane, with which token (its id), and from where."""

    name: str
    role: Role
    token_id: str
    address: str

    def require(self, needed: Role) -> None:
        """Whether the caller may do what needs a role.

        Raises:
            RoleError: no; names the role.
        """
        if not self.role.may_act_as(needed):
            raise RoleError(self.name, self.role, needed)


class Operators:
    """Every token that lets somebody in, held in memory; the database has the last word, and is asked every second.

    Args:
        now: seconds since 1970.
        monotonic: seconds on a clock that never goes back.
    """

    def __init__(self, database: Database, now: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self._live: dict[bytes, rows.TokenRow] = {}
        self._used: dict[str, float] = {}
        self._reads = 0
        self._newest_read = 0
        self._guesses = Guesses(monotonic, OperatorTokenError, GuessedOperatorTokensError)

    async def follow(self) -> None:
        """Take over which tokens there are: at start, and often, for what other processes changed.

        Raises:
            StorageError: the database does not answer.
        """
        read = self._begin_read()
        found = await self._database.read(partial(rows.live_tokens, now=self._now()))
        if read > self._newest_read:  # else a read that began later, perhaps after a change, is here already
            self._newest_read = read
            self._live = {row.sha256: row for row in found}

    async def look_again(self) -> None:
        """Take over what this process changed. Tokens that still let in stay known: none has to wait for guessers.

        Raises:
            StorageError: the database does not answer; until it does, no token is known.
        """
        try:
            await self.follow()
        except StorageError:
            self._newest_read, self._live = self._reads, {}
            raise

    async def authenticate(self, token: str | None, address: str) -> Caller:
        """Who holds a token; one that another process made is looked up. Hashes are compared, in constant time.

        Args:
            address: where the request comes from.

        Raises:
            OperatorTokenError: nobody.
            EndedOperatorTokenError: it lets nobody in any more; says why, and what helps.
            GuessedOperatorTokensError: so many wrong ones come from this address that this one is not looked up.
            StorageError: it is unknown here, and the database does not answer.
        """
        if not token:
            raise OperatorTokenError("send Authorization: Bearer <token>, an operator's token")
        digest = token_sha256(token)
        row = self._known(digest)
        if row is None:
            async with self._guesses.attempt(address):
                row = await self._look_up(digest)
        self._used[row.id] = self._now()
        return Caller(row.operator, Role(row.role), row.id, address)

    async def are_there(self) -> bool:
        """Whether there is any operator.

        Raises:
            StorageError: the database does not answer.
        """
        return bool(await self._database.read(rows.every))

    async def make_first_admin(self, token: str) -> bool:
        """Let this token be that of the first operator, an admin; False where there are operators already.

        Raises:
            StorageError: the database does not answer.
        """
        return await self._database.write(partial(_make_first_admin, sha256=token_sha256(token), now=self._now()))

    async def save(self) -> None:
        """Write when tokens were last used.

        Raises:
            StorageError: the database does not answer; the next call writes it.
        """
        used, self._used = self._used, {}
        if not used:
            return
        try:
            await self._database.write(partial(rows.save_used, used=[rows.UsedRow(*one) for one in used.items()]))
        except StorageError:
            self._used = used | self._used
            raise

    def _known(self, digest: bytes) -> rows.TokenRow | None:
        row = self._live.get(digest)
        return row if row is not None and hmac.compare_digest(row.sha256, digest) and not self._fault(row) else None

    async def _look_up(self, digest: bytes) -> rows.TokenRow:
        read = self._begin_read()
        row = await self._database.read(partial(rows.token_by_sha256, sha256=digest))
        if row is None or not hmac.compare_digest(row.sha256, digest):
            raise OperatorTokenError("no operator holds this token")
        if fault := self._fault(row):
            raise EndedOperatorTokenError(fault)
        if read > self._newest_read:
            self._live[digest] = row
        return row

    def _begin_read(self) -> int:
        """The number of a read: one with a higher number began later, and has seen at least as many changes."""
        self._reads += 1
        return self._reads

    def _fault(self, row: rows.TokenRow) -> str | None:
        """Why a token lets nobody in, and what an admin can do; None where it does."""
        token, another = f"token {row.id} of {row.operator}", f"dctwire tokens create {row.operator}"
        if row.disabled_at is not None:
            since, enabling = _day(row.disabled_at), f"dctwire operators enable {row.operator}"
            return f"the operator {row.operator} was disabled on {since}; an admin lets them in again: {enabling}"
        if row.revoked_at is not None:
            return f"{token} was revoked on {_day(row.revoked_at)}; an admin makes another one: {another}"
        if row.expires_at is not None and row.expires_at <= self._now():
            return f"{token} expired on {_day(row.expires_at)}; an admin makes another one: {another}"
        return None


def _make_first_admin(transaction: Transaction, sha256: bytes, now: float) -> bool:
    if rows.every(transaction) or not rows.add(transaction, rows.OperatorRow(FIRST_ADMIN, Role.ADMIN.value, now, None)):
        return False
    rows.add_token(transaction, rows.NewToken(new_token_id(), FIRST_ADMIN, sha256, now, now + TOKEN_DAYS * DAY_SECONDS))
    return True


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
