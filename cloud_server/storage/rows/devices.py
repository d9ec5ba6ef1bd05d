"""Rows of devices and of the claim codes with which they join; times are seconds since 1970."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, select, update

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


_select = select(*(devices.c[name] for name in DeviceRow._fields))


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


def joined(connection: Connection, joining: JoiningRow) -> DeviceRow | None:
    """The device that this secret made of this claim code; None when there is none."""
    claim, secret = joining
    return _one(connection, (devices.c.claim_sha256 == claim) & (devices.c.secret_sha256 == secret))


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
    return DeviceRow(row_id, public_id, family, token_sha256, now, None, None, None)


def revoke(connection: Connection, public_id: str, now: float) -> DeviceRow | None:
    """Let a device in no more; one that is revoked stays so since then. None when there is no such device."""
    return _marked(connection, public_id, func.coalesce(devices.c.revoked_at, now))


def restore(connection: Connection, public_id: str) -> DeviceRow | None:
    """Let a device in again; None when there is no such device."""
    return _marked(connection, public_id, None)


def revoked(connection: Connection) -> dict[int, float]:
    """When each revoked device was revoked, by the devices' rows."""
    query = select(devices.c.id, devices.c.revoked_at).where(devices.c.revoked_at.is_not(None))
    return {row.id: row.revoked_at for row in connection.execute(query)}


def existing(connection: Connection, row_ids: Collection[int]) -> frozenset[int]:
    """Which of these devices' rows there are."""
    return frozenset(connection.execute(select(devices.c.id).where(devices.c.id.in_(row_ids))).scalars())


def save_seen(connection: Connection, seen: Iterable[SeenRow]) -> None:
    """Note when devices were last here, unless what is stored is newer."""
    is_newer = func.coalesce(devices.c.last_seen_at, 0) < bindparam("at")
    statement = update(devices).where(devices.c.id == bindparam("row_id"), is_newer)
    values = statement.values(last_seen_at=bindparam("at"), last_tables=bindparam("tables"))
    rows = [{"row_id": row.id, "at": row.last_seen_at, "tables": row.last_tables} for row in seen]
    connection.execute(values, rows)


def _marked(connection: Connection, public_id: str, revoked_at: ColumnElement[float] | None) -> DeviceRow | None:
    marking = update(devices).where(devices.c.public_id == public_id).values(revoked_at=revoked_at)
    row = connection.execute(marking.returning(*_select.selected_columns)).one_or_none()
    return None if row is None else DeviceRow(*row)


def _one(connection: Connection, condition: ColumnElement[bool]) -> DeviceRow | None:
    row = connection.execute(_select.where(condition)).one_or_none()
    return None if row is None else DeviceRow(*row)
