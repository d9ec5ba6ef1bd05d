"""Sessions of the console: kept in the database, so that any process of several serves any of them; only hashes."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from cloud_server.errors import NotFoundError
from cloud_server.operators.accounts import Caller
from cloud_server.operators.roles import Role
from cloud_server.operators.secrets import token_sha256
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import logins as rows
from cloud_server.storage.rows.logins import Limits
from cloud_server.storage.witness import Witness

TOUCH_SECONDS = 60.0
"""How exactly it is known when a session was used last: each note of it is a write."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a session lasts at most, and how long without any request, in seconds."""

    most_seconds: float
    idle_seconds: float

    def limits(self, now: float) -> Limits:
        """Since when sessions that go on must have begun, and have been used."""
        return Limits(now - self.most_seconds, now - self.idle_seconds)


@dataclass(frozen=True, slots=True)
class Session:
    """A session that goes on: who called up the page, as which session, since when, and the proof that forms carry."""

    caller: Caller
    csrf: str
    begun_at: float


class Sessions:
    """Who is logged in to the console.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, database: Database, lifetime: Lifetime, now: Callable[[], float]) -> None:
        self._database = database
        self._lifetime = lifetime
        self._now = now

    async def find(self, token: str, address: str) -> Session | None:
        """The session whose token a browser sent; None: there is none, or it has ended.

        Args:
            address: where this request comes from.

        Raises:
            StorageError: the database does not answer.
        """
        now, sha256 = self._now(), token_sha256(token)
        find = partial(rows.session_of, sha256=sha256, limits=self._lifetime.limits(now))
        row = await self._database.read(find)
        if row is None or not hmac.compare_digest(row.sha256, sha256):
            return None
        if now - row.used_at > min(TOUCH_SECONDS, self._lifetime.idle_seconds / 4):
            await self._database.write(partial(rows.touch_session, sha256=sha256, now=now))
        return Session(Caller(row.operator, Role(row.role), row.id, address), csrf_of(token), row.begun_at)

    async def of(self, operator: str) -> Sequence[rows.SessionRow]:
        """An operator's sessions that have not ended, the newest first.

        Raises:
            StorageError: the database does not answer.
        """
        limits = self._lifetime.limits(self._now())
        return await self._database.read(partial(rows.sessions_of, operator=operator, limits=limits))

    async def end(self, operator: str, session_id: str, witness: Witness) -> None:
        """End one session of an operator.

        Raises:
            NotFoundError: the operator has none of this id, any more.
            StorageError: the database does not answer.
        """
        await self._database.write(partial(_end, operator=operator, session_id=session_id, witness=witness))

    async def end_others(self, caller: Caller, witness: Witness) -> int:
        """End all sessions of an operator but the one that asks; says how many these were.

        Raises:
            StorageError: the database does not answer.
        """
        return await self._database.write(partial(_end_others, caller=caller, witness=witness))


def csrf_of(token: str) -> str:
    """What every form of a session carries, which no other site can know: it follows from the cookie alone."""
    proof = hmac.digest(token.encode("latin-1", "replace"), b"dctwire console form", hashlib.sha256)
    return urlsafe_b64encode(proof[:18]).decode()


def _end(transaction: Transaction, operator: str, session_id: str, witness: Witness) -> None:
    if not rows.end_session(transaction, operator, session_id):
        raise NotFoundError(f"there is no session {session_id} any more")
    witness(transaction, {"id": session_id}, None)


def _end_others(transaction: Transaction, caller: Caller, witness: Witness) -> int:
    ended = rows.end_sessions(transaction, caller.name, but=caller.token_id)
    if ended:
        witness(transaction, {"others": ended}, {"others": 0})
    return ended
