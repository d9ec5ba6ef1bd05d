"""Making operators and tokens, changing and ending them. There is always an admin."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from cloud_server.errors import ConflictError, NotFoundError, RoleError
from cloud_server.operators.accounts import DAY_SECONDS, Caller, Operators
from cloud_server.operators.roles import Role
from cloud_server.operators.secrets import OWN, new_token, new_token_id, token_sha256
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import logins
from cloud_server.storage.rows import operators as rows
from cloud_server.storage.witness import Fact, Facts, Witness

OPERATORS_MAX = 1000
TOKENS_MAX = 20
"""How many tokens of one operator may let in at once."""
TOKENS_A_DAY_MAX = 100
"""How many tokens of one operator may be made within a day, so that nobody fills the database by rotating."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token, shown this once, and its row."""

    token: str
    row: rows.TokenRow


@dataclass(frozen=True, slots=True)
class Revoked:
    """A token that is revoked, and those that ended with it: what was rotated from it and still let in."""

    row: rows.TokenRow
    descendants: Sequence[rows.TokenRow]


@dataclass(frozen=True, slots=True)
class _Made:
    """A token that is to be stored: its text's hash, until when it lets in, and the one in whose place it comes."""

    id: str
    sha256: bytes
    expires_at: float | None
    rotated_from: str | None = None


class Administration:
    """Changes to operators and tokens; this process knows of them at once, others when they `follow`.

    Args:
        operators: told of every change.
        now: seconds since 1970.
    """

    def __init__(self, database: Database, operators: Operators, now: Callable[[], float]) -> None:
        self._database = database
        self._operators = operators
        self._now = now

    async def operators(self) -> Sequence[rows.OperatorRow]:
        """Every operator, by name.

        Raises:
            StorageError: the database does not answer.
        """
        return await self._database.read(rows.every)

    async def add(self, name: str, role: Role, witness: Witness) -> rows.OperatorRow:
        """Make an operator, who has no token yet.

        Raises:
            ConflictError: the name is taken, or there are `OPERATORS_MAX`.
            StorageError: the database does not answer.
        """
        row = rows.OperatorRow(name, role.value, self._now(), None)
        await self._database.write(partial(_add, row=row, witness=witness))
        return row

    async def change(
        self, name: str, witness: Witness, *, role: Role | None, is_disabled: bool | None
    ) -> rows.OperatorRow:
        """Give an operator another role, or take away or give back all that the operator's tokens open.

        Either ends the operator's sessions of the console.

        Args:
            role, is_disabled: None leaves it as it is.

        Raises:
            NotFoundError, ConflictError: there is no such operator, or it is the last admin.
            StorageError: the database does not answer.
        """
        job = partial(_change, name=name, role=role, is_disabled=is_disabled, now=self._now(), witness=witness)
        row = await self._database.write(job)
        await self._operators.look_again()
        return row

    async def tokens(self, of: str | None) -> Sequence[rows.TokenRow]:
        """All tokens, or those of one operator, newest first.

        Raises:
            StorageError: the database does not answer.
        """
        return await self._database.read(partial(rows.tokens, of=of))

    async def issue(self, name: str, days: int | None, witness: Witness) -> Issued:
        """Make a token.

        Args:
            days: how long it lets in; None: for ever.

        Raises:
            NotFoundError: there is no such operator.
            ConflictError: the operator is disabled, has `TOKENS_MAX`, or was made `TOKENS_A_DAY_MAX` within a day.
            StorageError: the database does not answer.
        """
        token, made = self._make(days)
        row = await self._database.write(partial(_issue, name=name, made=made, now=self._now(), witness=witness))
        await self._operators.look_again()
        return Issued(token, row)

    async def rotate(
        self, caller: Caller, token_id: str, days: int | None, overlap_hours: int, witness: Witness
    ) -> Issued:
        """Make a token in the place of another one, which lets in for `overlap_hours` more at most.

        Unless an admin asks, the other one is the caller's own, and the new one lasts no longer than the other one was
        given for, whatever `days` says.

        Raises:
            RoleError: the token is not the one with which the caller calls, and the caller no admin.
            NotFoundError: there is none that lets in; ConflictError, StorageError: as for `issue`.
        """
        token, made = self._make(days)
        until = self._now() + overlap_hours * 3600
        rotation = partial(_rotate, caller=caller, token_id=token_id, made=made, until=until)
        row = await self._database.write(partial(rotation, now=self._now(), witness=witness))
        await self._operators.look_again()
        return Issued(token, row)

    async def revoke(self, caller: Caller, token_id: str, witness_of: Callable[[str], Witness]) -> Revoked:
        """End a token and those that were rotated from it, directly or not; safe to repeat.

        Args:
            witness_of: who takes note of what becomes of a token, by its id.

        Raises:
            RoleError: the token is another operator's, and the caller no admin.
            NotFoundError, StorageError: there is none; the database does not answer.
        """
        now = self._now()
        job = partial(_revoke, caller=caller, token_id=token_id, now=now, witness_of=witness_of)
        revoked = await self._database.write(job)
        if revoked.row.revoked_at == now or revoked.descendants:  # else nothing has changed
            await self._operators.look_again()
        return revoked

    def _make(self, days: int | None) -> tuple[str, _Made]:
        token = new_token()
        expires_at = None if days is None else self._now() + days * DAY_SECONDS
        return token, _Made(new_token_id(), token_sha256(token), expires_at)


def _add(transaction: Transaction, row: rows.OperatorRow, witness: Witness) -> None:
    if len(rows.every(transaction)) >= OPERATORS_MAX:
        raise ConflictError(f"there are {OPERATORS_MAX} operators already")
    if not rows.add(transaction, row):
        raise ConflictError(f"there is an operator {row.name} already")
    witness(transaction, None, _shown(row))


def _change(
    transaction: Transaction, name: str, role: Role | None, is_disabled: bool | None, now: float, witness: Witness
) -> rows.OperatorRow:
    admins = rows.lock_admins(transaction)
    before = _found(transaction, name)
    after = before if role is None else before._replace(role=role.value)
    if is_disabled is not None:
        after = after._replace(disabled_at=(before.disabled_at or now) if is_disabled else None)
    if _is_admin(before) and not _is_admin(after) and admins == 1:
        raise ConflictError(f"{name} is the last admin; make another one first")
    rows.change(transaction, after)
    if _shown(before) != _shown(after):
        logins.end_sessions(transaction, name)
    witness(transaction, _shown(before), _shown(after))
    return after


def _issue(transaction: Transaction, name: str, made: _Made, now: float, witness: Witness) -> rows.TokenRow:
    row = _add_token(transaction, name, made, now)
    witness(transaction, None, _of_token(row))
    return row


def _add_token(transaction: Transaction, name: str, made: _Made, now: float) -> rows.TokenRow:
    operator = _found(transaction, name)
    if operator.disabled_at is not None:
        raise ConflictError(f"the operator {name} is disabled")
    if rows.count_live_tokens(transaction, name, now) >= TOKENS_MAX:
        raise ConflictError(f"{TOKENS_MAX} tokens of {name} let in already; revoke some first")
    # Whoever stole a token may rotate it as often: that must not keep an admin from making its owner another one.
    are_rotated = made.rotated_from is not None
    if rows.count_tokens_since(transaction, name, now - DAY_SECONDS, are_rotated=are_rotated) >= TOKENS_A_DAY_MAX:
        how = "rotated" if are_rotated else "made"
        raise ConflictError(f"{TOKENS_A_DAY_MAX} tokens of {name} were {how} within a day; try again tomorrow")
    rows.add_token(transaction, rows.NewToken(made.id, name, made.sha256, now, made.expires_at, made.rotated_from))
    return _token(transaction, made.id)


def _rotate(
    transaction: Transaction,
    caller: Caller,
    token_id: str,
    made: _Made,
    until: float,
    now: float,
    witness: Witness,
) -> rows.TokenRow:
    before = _own(transaction, caller, token_id)
    is_admin = caller.role is Role.ADMIN
    if before.id != caller.token_id and not is_admin:  # else who holds a short-lived one turns it into a lasting one
        raise RoleError(caller.name, caller.role, Role.ADMIN)
    if before.revoked_at is not None or (before.expires_at is not None and before.expires_at <= now):
        raise NotFoundError(f"token {before.id} lets nobody in any more; make a new one")
    rows.expire(transaction, before.id, until)
    expires_at = made.expires_at if is_admin else _no_later(before, made.expires_at, now)
    made = replace(made, expires_at=expires_at, rotated_from=before.id)
    row = _add_token(transaction, before.operator, made, now)
    replaced = _of_token(_token(transaction, before.id))
    witness(transaction, _of_token(before), _of_token(row) | {"replaced_expires_at": replaced["expires_at"]})
    return row


def _no_later(before: rows.TokenRow, wanted: float | None, now: float) -> float | None:
    """When a token ends that lasts as long as is wanted, but no longer than the one that it replaces was given for."""
    if before.expires_at is None:
        return wanted
    latest = now + before.expires_at - before.created_at
    return latest if wanted is None else min(wanted, latest)


def _revoke(
    transaction: Transaction, caller: Caller, token_id: str, now: float, witness_of: Callable[[str], Witness]
) -> Revoked:
    before = _own(transaction, caller, token_id)
    descendants = rows.live_descendants(transaction, before.id, now)
    for row in (before, *descendants):
        rows.revoke(transaction, row.id, now)
        logins.end_what_came_of(transaction, row.id)
    for row in descendants:
        after = _of_token(row) | {"is_revoked": True, "revoked_with": before.id}
        witness_of(row.id)(transaction, _of_token(row), after)
    revoked = _token(transaction, before.id)
    witness_of(before.id)(transaction, _of_token(before), _of_token(revoked))
    return Revoked(revoked, descendants)


def _found(transaction: Transaction, name: str) -> rows.OperatorRow:
    row = rows.find(transaction, name)
    if row is None:
        raise NotFoundError(f"there is no operator {name}")
    return row


def _token(transaction: Transaction, token_id: str) -> rows.TokenRow:
    row = rows.token_by_id(transaction, token_id)
    if row is None:
        raise NotFoundError(f"there is no token {token_id}")
    return row


def _own(transaction: Transaction, caller: Caller, token_id: str) -> rows.TokenRow:
    row = _token(transaction, caller.token_id if token_id == OWN else token_id)
    if row.operator != caller.name and caller.role is not Role.ADMIN:
        raise RoleError(caller.name, caller.role, Role.ADMIN)
    _found(transaction, row.operator)  # locks it, so that a revocation and a rotation know of each other
    return _token(transaction, row.id)


def _is_admin(row: rows.OperatorRow) -> bool:
    return row.role == Role.ADMIN and row.disabled_at is None


def _shown(row: rows.OperatorRow) -> Facts:
    return {"role": row.role, "is_disabled": row.disabled_at is not None}


def _of_token(row: rows.TokenRow) -> dict[str, Fact]:
    expires_at = None if row.expires_at is None else round(row.expires_at)
    return {"id": row.id, "operator": row.operator, "expires_at": expires_at, "is_revoked": row.revoked_at is not None}
