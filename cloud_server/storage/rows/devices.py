"""Rows of devices and of the claim codes with which they join; times are seconds since 1970."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Update, bindparam, case, func, insert, or_, select, update

from cloud_server.storage.database import insert_or_ignore
from cloud_server.storage.schema import claims, devices


class DeviceRow(NamedTuple):
    """One device, its fields the table's columns."""

    id: int
    public_id: str
    family: str
    token_sha256: bytes
    enrolled_at: float
    last_seen_at: float | None
    last_tables: str | None
    revoked_at: float | None
    suspected_clone_at: float | None
    suspected_clone_why: str | None


class MarkRow(NamedTuple):
    """What is marked on a device, each with its time; its fields are the table's columns."""

    id: int
    revoked_at: float | None
    suspected_clone_at: float | None
    suspected_clone_why: str | None
    forgotten_at: float | None


AHEAD_SECONDS = 60.0
"""By so much the clocks of two processes may differ."""
_columns = [devices.c[name] for name in DeviceRow._fields]
_is_known = devices.c.forgotten_at.is_(None)
_select = select(*_columns).where(_is_known)


class JoiningRow(NamedTuple):
    """By what a device joined: the hashes of its claim code and of the secret that it made."""

    claim_sha256: bytes
    secret_sha256: bytes


class SeenRow(NamedTuple):
    """When a device was last here, and with which tables."""

    id: int
    last_seen_at: float
    last_tables: str | None


def every(connection: Connection) -> Sequence[DeviceRow]:
    """All devices."""
    return [DeviceRow(*row) for row in connection.execute(_select)]


def by_token(connection: Connection, token_sha256: bytes) -> DeviceRow | None:
    """The device that holds a token; None when nobody does."""
    return _one(connection, devices.c.token_sha256 == token_sha256)


def by_public_id(connection: Connection, public_id: str) -> DeviceRow | None:
    """The device of this name; None when there is none."""
    return _one(connection, devices.c.public_id == public_id)


def add_claim(connection: Connection, code_sha256: bytes, family: str, expires_at: float) -> None:
    """Let one device join a family."""
    row = {"code_sha256": code_sha256, "family": family, "expires_at": expires_at}
    connection.execute(insert(claims), row)


def use_claim(connection: Connection, code_sha256: bytes, now: float) -> str | None:
    """Use a claim code up; returns its family, or None when it is wrong, used or expired."""
    claim = (claims.c.code_sha256 == code_sha256) & claims.c.used_at.is_(None) & (claims.c.expires_at > now)
    using = update(claims).where(claim).values(used_at=now).returning(claims.c.family)
    return connection.execute(using).scalar_one_or_none()


def add_device(
    connection: Connection, public_id: str, family: str, token_sha256: bytes, joining: JoiningRow, now: float
) -> DeviceRow:
    """Enrol a device; returns its row."""
    row = {"public_id": public_id, "family": family, "token_sha256": token_sha256, "enrolled_at": now}
    row |= joining._asdict()
    row_id = connection.execute(insert(devices).returning(devices.c.id), row).scalar_one()
    return DeviceRow(row_id, public_id, family, token_sha256, now, None, None, None, None, None)


def readmit(
    connection: Connection, public_id: str, family: str, token_sha256: bytes, joining: JoiningRow, now: float
) -> DeviceRow | None:
    """Bring back the row of a device that was enrolled; None when its id is another's, or forgotten.

    Where another device has used the code meanwhile, the row is written without it: the token tells who joined.
    """
    row = {"public_id": public_id, "family": family, "token_sha256": token_sha256, "enrolled_at": now}
    for claim in (joining.claim_sha256, None):  # where the first is written, the second is ignored
        added = row | {"claim_sha256": claim, "secret_sha256": joining.secret_sha256}
        connection.execute(insert_or_ignore(devices), added)
    return by_token(connection, token_sha256)


def revoke(connection: Connection, public_id: str, now: float) -> DeviceRow | None:
    """Let a device in no more; one that is revoked stays so since then. None when there is no such device."""
    return _marked(connection, public_id, func.coalesce(devices.c.revoked_at, now))


def restore(connection: Connection, public_id: str) -> DeviceRow | None:
    """Let a device in again; None when there is no such device."""
    return _marked(connection, public_id, None)


def forget(connection: Connection, public_id: str, now: float) -> DeviceRow | None:
    """Let a device in never again: its id is not given anew. Safe to repeat; None when there never was one."""
    values = {
        "forgotten_at": func.coalesce(devices.c.forgotten_at, now),
        "revoked_at": func.coalesce(devices.c.revoked_at, now),
        "last_seen_at": None,
        "last_tables": None,
        "suspected_clone_at": None,
        "suspected_clone_why": None,
    }
    forgetting = update(devices).where(devices.c.public_id == public_id).values(values)
    return _returned(connection, forgetting)


def mark_clone(connection: Connection, row_id: int, why: str, now: float) -> DeviceRow | None:
    """Note that a device seems to be two; what was noted first stands."""
    is_first = devices.c.suspected_clone_at.is_(None)
    values = {
        "suspected_clone_at": func.coalesce(devices.c.suspected_clone_at, now),
        "suspected_clone_why": case((is_first, why), else_=devices.c.suspected_clone_why),
    }
    return _returned(connection, update(devices).where(devices.c.id == row_id, _is_known).values(values))


def clear_clone_mark(connection: Connection, public_id: str) -> DeviceRow | None:
    """Take that note away; None when there is no such device."""
    values = {"suspected_clone_at": None, "suspected_clone_why": None}
    return _returned(connection, update(devices).where(devices.c.public_id == public_id, _is_known).values(values))


def marks(connection: Connection) -> Sequence[MarkRow]:
    """Every device on which something is marked."""
    columns = [devices.c[name] for name in MarkRow._fields]
    is_marked = or_(*(column.is_not(None) for column in (columns[1], columns[2], columns[4])))
    return [MarkRow(*row) for row in connection.execute(select(*columns).where(is_marked))]


def existing(connection: Connection, row_ids: Collection[int]) -> frozenset[int]:
    """Which of these devices' rows there are."""
    return frozenset(connection.execute(select(devices.c.id).where(devices.c.id.in_(row_ids))).scalars())


def save_seen(connection: Connection, seen: Iterable[SeenRow], now: float) -> None:
    """Note when devices were last here, unless what is stored is newer, and was not noted by a clock that was ahead."""
    stored = func.coalesce(devices.c.last_seen_at, 0)
    is_newer = (stored < bindparam("at")) | (stored > now + AHEAD_SECONDS)
    statement = update(devices).where(devices.c.id == bindparam("row_id"), is_newer)
    values = statement.values(last_seen_at=bindparam("at"), last_tables=bindparam("tables"))
    rows = [{"row_id": row.id, "at": row.last_seen_at, "tables": row.last_tables} for row in seen]
    connection.execute(values, rows)


def _marked(connection: Connection, public_id: str, revoked_at: ColumnElement[float] | None) -> DeviceRow | None:
    marking = update(devices).where(devices.c.public_id == public_id, _is_known).values(revoked_at=revoked_at)
    return _returned(connection, marking)


def _returned(connection: Connection, changing: Update) -> DeviceRow | None:
    row = connection.execute(changing.returning(*_columns)).one_or_none()
    return None if row is None else DeviceRow(*row)


def _one(connection: Connection, condition: ColumnElement[bool]) -> DeviceRow | None:
    row = connection.execute(_select.where(condition)).one_or_none()
    return None if row is None else DeviceRow(*row)
