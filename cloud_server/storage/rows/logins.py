"""Rows of the console's logins: passwords, one-time codes and sessions; times are seconds since 1970."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from cloud_server.storage.console_tables import console_sessions, login_codes, operator_passwords
from cloud_server.storage.schema import operators


class LoginRow(NamedTuple):
    """What a login by password is held against; `hash` is None of an operator who has no password."""

    operator: str
    role: str
    disabled_at: float | None
    hash: str | None


class CodeRow(NamedTuple):
    """One one-time code, its fields the table's columns."""

    sha256: bytes
    operator: str
    expires_at: float
    via_token: str | None


class SessionRow(NamedTuple):
    """One session, its fields the table's columns but for the last, which is its operator's."""

    sha256: bytes
    id: str
    operator: str
    begun_at: float
    used_at: float
    address: str
    browser: str
    via_token: str | None
    role: str


class Limits(NamedTuple):
    """Sessions that began, or were used, before these moments have ended."""

    begun_after: float
    used_after: float


_session = select(*(console_sessions.c[name] for name in SessionRow._fields[:-1]), operators.c.role).join(operators)


def login_of(connection: Connection, operator: str) -> LoginRow | None:
    """What a login of this operator is held against; None: there is no such operator."""
    joined = operators.outerjoin(operator_passwords)
    columns = (operators.c.name, operators.c.role, operators.c.disabled_at, operator_passwords.c.hash)
    row = connection.execute(select(*columns).select_from(joined).where(operators.c.name == operator)).one_or_none()
    return None if row is None else LoginRow(*row)


def password_set_at(connection: Connection, operator: str) -> float | None:
    """When an operator's password was set; None: there is none."""
    query = select(operator_passwords.c.set_at).where(operator_passwords.c.operator == operator)
    return connection.execute(query).scalar_one_or_none()


def set_password(connection: Connection, operator: str, hashed: str, now: float) -> None:
    """Let an operator have this password from now on; the operator's row is locked by the caller."""
    connection.execute(delete(operator_passwords).where(operator_passwords.c.operator == operator))
    connection.execute(insert(operator_passwords), {"operator": operator, "hash": hashed, "set_at": now})


def add_code(connection: Connection, row: CodeRow, now: float) -> None:
    """Add a one-time code in the place of the operator's earlier ones; expired ones of all operators go."""
    is_gone = (login_codes.c.operator == row.operator) | (login_codes.c.expires_at <= now)
    connection.execute(delete(login_codes).where(is_gone))
    connection.execute(insert(login_codes), row._asdict())


def has_code(connection: Connection, sha256: bytes, now: float) -> bool:
    """Whether there is a one-time code of this hash that is good still: to be told of wrong ones without a write."""
    query = select(login_codes.c.sha256).where(login_codes.c.sha256 == sha256, login_codes.c.expires_at > now)
    return connection.execute(query).one_or_none() is not None


def take_code(connection: Connection, sha256: bytes, now: float) -> CodeRow | None:
    """Use up a one-time code, once; None: there is none of this hash that is good still."""
    columns = (login_codes.c[name] for name in CodeRow._fields)
    taken = delete(login_codes).where(login_codes.c.sha256 == sha256, login_codes.c.expires_at > now)
    row = connection.execute(taken.returning(*columns)).one_or_none()
    return None if row is None else CodeRow(*row)


def add_session(connection: Connection, row: SessionRow) -> None:
    """Add a session."""
    values = row._asdict()
    del values["role"]
    connection.execute(insert(console_sessions), values)


def session_of(connection: Connection, sha256: bytes, limits: Limits) -> SessionRow | None:
    """The session of this hash, of an operator who is let in; None: there is none, or it has ended."""
    query = _session.where(console_sessions.c.sha256 == sha256, *_live(limits))
    row = connection.execute(query).one_or_none()
    return None if row is None else SessionRow._make(row)


def sessions_of(connection: Connection, operator: str, limits: Limits) -> Sequence[SessionRow]:
    """An operator's sessions that have not ended, the newest first."""
    query = _session.where(console_sessions.c.operator == operator, *_live(limits))
    rows = connection.execute(query.order_by(console_sessions.c.begun_at.desc(), console_sessions.c.id))
    return [SessionRow._make(row) for row in rows]


def touch_session(connection: Connection, sha256: bytes, now: float) -> None:
    """Note that a session was used."""
    connection.execute(update(console_sessions).where(console_sessions.c.sha256 == sha256).values(used_at=now))


def end_session(connection: Connection, operator: str, session_id: str) -> bool:
    """End one session of an operator; False: there is none of this id."""
    is_it = (console_sessions.c.operator == operator) & (console_sessions.c.id == session_id)
    return connection.execute(delete(console_sessions).where(is_it)).rowcount == 1


def end_sessions(connection: Connection, operator: str, but: str | None = None) -> int:
    """End all sessions of an operator but the one of this id, and the codes that would begin others; says how many."""
    connection.execute(delete(login_codes).where(login_codes.c.operator == operator))
    are_ended = console_sessions.c.operator == operator
    if but is not None:
        are_ended &= console_sessions.c.id != but
    return connection.execute(delete(console_sessions).where(are_ended)).rowcount


def end_what_came_of(connection: Connection, token_id: str) -> None:
    """End the sessions and codes that go back to a token."""
    for table in (console_sessions, login_codes):
        connection.execute(delete(table).where(table.c.via_token == token_id))


def forget_ended(connection: Connection, limits: Limits) -> None:
    """Delete the sessions that have ended by themselves."""
    ended = (console_sessions.c.begun_at <= limits.begun_after) | (console_sessions.c.used_at <= limits.used_after)
    connection.execute(delete(console_sessions).where(ended))


def _live(limits: Limits) -> tuple[ColumnElement[bool], ...]:
    sessions = console_sessions.c
    return (
        sessions.begun_at > limits.begun_after,
        sessions.used_at > limits.used_after,
        operators.c.disabled_at.is_(None),
    )
