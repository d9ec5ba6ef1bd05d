"""Rows of operators and of their tokens; times are seconds since 1970."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, select, update

from cloud_server.storage.database import insert_or_ignore
from cloud_server.storage.schema import operator_tokens, operators


class OperatorRow(NamedTuple):
    """One operator, its fields the table's columns."""

    name: str
    role: str
    created_at: float
    disabled_at: float | None


class TokenRow(NamedTuple):
    """One token, its fields the table's columns but for the last two, which are its operator's."""

    id: str
    operator: str
    sha256: bytes
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None
    rotated_from: str | None
    role: str
    disabled_at: float | None


class NewToken(NamedTuple):
    """A token to be added."""

    id: str
    operator: str
    sha256: bytes
    created_at: float
    expires_at: float | None
    rotated_from: str | None = None


class UsedRow(NamedTuple):
    """When a token was last used."""

    id: str
    last_used_at: float


_operator = select(*(operators.c[name] for name in OperatorRow._fields))
_of_operator = (operators.c.role, operators.c.disabled_at)
_token = select(*(operator_tokens.c[name] for name in TokenRow._fields[:-2]), *_of_operator).join(operators)


def every(connection: Connection) -> Sequence[OperatorRow]:
    """All operators, by name."""
    return [OperatorRow(*row) for row in connection.execute(_operator.order_by(operators.c.name))]


def find(connection: Connection, name: str) -> OperatorRow | None:
    """One operator, whose row nobody else changes in this transaction; None when there is none."""
    row = connection.execute(_operator.where(operators.c.name == name).with_for_update()).one_or_none()
    return None if row is None else OperatorRow(*row)


def add(connection: Connection, row: OperatorRow) -> bool:
    """Add an operator; False when the name is taken."""
    return connection.execute(insert_or_ignore(operators), row._asdict()).rowcount == 1


def change(connection: Connection, row: OperatorRow) -> None:
    """Write an operator's row anew."""
    connection.execute(update(operators).where(operators.c.name == row.name).values(row._asdict()))


def lock_admins(connection: Connection) -> int:
    """How many operators are enabled admins; nobody else makes them fewer in this transaction."""
    is_admin = (operators.c.role == "admin") & operators.c.disabled_at.is_(None)
    return len(connection.execute(select(operators.c.name).where(is_admin).with_for_update()).all())


def add_token(connection: Connection, row: NewToken) -> None:
    """Add a token."""
    connection.execute(insert(operator_tokens), row._asdict())


def tokens(connection: Connection, of: str | None = None) -> Sequence[TokenRow]:
    """All tokens, or those of one operator, newest first."""
    query = _token.order_by(operator_tokens.c.created_at.desc(), operator_tokens.c.id)
    rows = connection.execute(query if of is None else query.where(operator_tokens.c.operator == of))
    return [_read(row) for row in rows]


def live_tokens(connection: Connection, now: float) -> Sequence[TokenRow]:
    """The tokens that let somebody in."""
    rows = connection.execute(_token.where(_is_live(now), operators.c.disabled_at.is_(None)))
    return [_read(row) for row in rows]


def count_live_tokens(connection: Connection, operator: str, now: float) -> int:
    """How many tokens of an operator are neither revoked nor expired."""
    query = select(func.count()).select_from(operator_tokens)
    of_operator = operator_tokens.c.operator == operator
    return int(connection.execute(query.where(of_operator, _is_live(now))).scalar_one())


def count_tokens_since(connection: Connection, operator: str, since: float, *, are_rotated: bool) -> int:
    """How many tokens of an operator were made since a time, dead ones too: by rotating others, or by an admin."""
    query = select(func.count()).select_from(operator_tokens)
    is_one = (operator_tokens.c.operator == operator) & (operator_tokens.c.created_at >= since)
    is_one &= operator_tokens.c.rotated_from.is_not(None) if are_rotated else operator_tokens.c.rotated_from.is_(None)
    return int(connection.execute(query.where(is_one)).scalar_one())


def live_descendants(connection: Connection, token_id: str, now: float) -> Sequence[TokenRow]:
    """The tokens rotated from one, or from one that was, that are neither revoked nor expired, oldest first."""
    id_, rotated_from = operator_tokens.c.id, operator_tokens.c.rotated_from
    first = select(id_).where(rotated_from == token_id).cte("descendants", recursive=True)
    every_one = first.union(select(id_).where(rotated_from == first.c.id))
    query = _token.where(id_.in_(select(every_one.c.id)), _is_live(now))
    return [_read(row) for row in connection.execute(query.order_by(operator_tokens.c.created_at, id_))]


def token_by_sha256(connection: Connection, sha256: bytes) -> TokenRow | None:
    """The token with this hash, also one that is dead; None when there is none."""
    return _one(connection, operator_tokens.c.sha256 == sha256)


def token_by_id(connection: Connection, token_id: str) -> TokenRow | None:
    """The token of this id; None when there is none."""
    return _one(connection, operator_tokens.c.id == token_id)


def expire(connection: Connection, token_id: str, at: float) -> None:
    """Let a token end at a time, unless it ends before."""
    is_later = (operator_tokens.c.id == token_id) & (func.coalesce(operator_tokens.c.expires_at, at) >= at)
    connection.execute(update(operator_tokens).where(is_later).values(expires_at=at))


def revoke(connection: Connection, token_id: str, now: float) -> None:
    """Let a token let nobody in any more; one that is revoked stays so since then."""
    is_it = (operator_tokens.c.id == token_id) & operator_tokens.c.revoked_at.is_(None)
    connection.execute(update(operator_tokens).where(is_it).values(revoked_at=now))


def save_used(connection: Connection, used: Iterable[UsedRow]) -> None:
    """Note when tokens were last used, unless what is stored is newer."""
    is_newer = func.coalesce(operator_tokens.c.last_used_at, 0) < bindparam("at")
    statement = update(operator_tokens).where(operator_tokens.c.id == bindparam("row_id"), is_newer)
    rows = [{"row_id": row.id, "at": row.last_used_at} for row in used]
    connection.execute(statement.values(last_used_at=bindparam("at")), rows)


def _is_live(now: float) -> ColumnElement[bool]:
    expires_at = operator_tokens.c.expires_at
    return operator_tokens.c.revoked_at.is_(None) & (expires_at.is_(None) | (expires_at > now))


def _one(connection: Connection, condition: ColumnElement[bool]) -> TokenRow | None:
    row = connection.execute(_token.where(condition)).one_or_none()
    return None if row is None else _read(row)


def _read(row: Any) -> TokenRow:
    return TokenRow(**row._mapping)
