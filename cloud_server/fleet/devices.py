"""The devices: claim codes, enrolment, session tokens, when each was last seen and with which tables."""

import hmac
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from cloud_server.answered import AnsweredFrames
from cloud_server.errors import ClaimError, GuessedTokensError, QuotaError, StorageError, TokenError
from cloud_server.fleet.quota import Quota, Rate
from cloud_server.fleet.secrets import claim_sha256, new_claim_code, new_device_id, new_token, token_sha256
from cloud_server.storage.database import Database
from cloud_server.storage.schema import claims, devices
from shared.wire import Enrolment

CLAIM_LIFETIME_SECONDS = 24 * 3600.0
LOOK_UPS_PER_SECOND, LOOK_UPS_AT_ONCE = 50.0, 100
"""How often unknown tokens reach the database: guessing must not load it."""


@dataclass(slots=True)
class Device:
    """One enrolled device. `last_sequence` is the highest sequence with a stored answer; None: not looked up yet."""

    row_id: int
    public_id: str
    family: str
    token_sha256: bytes
    enrolled_at: float
    last_seen_at: float | None = None
    last_tables: str | None = None
    last_sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A single-use right to join a family; `expires_at` in seconds since 1970."""

    code: str
    family: str
    expires_at: float


class Devices:
    """Every device, held in memory; the database has the last word at start and is written before any answer."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now
        self._by_token: dict[bytes, Device] = {}
        self._by_row: dict[int, Device] = {}
        self._to_save: dict[int, Device] = {}
        self._look_ups: Quota[str] = Quota(Rate(LOOK_UPS_PER_SECOND, LOOK_UPS_AT_ONCE))

    async def load(self) -> None:
        """Read all devices; at start, and to list what other processes have seen of them.

        Raises:
            StorageError: the database does not answer.
        """
        for row in await self._database.read(lambda connection: connection.execute(select(devices)).all()):
            self._meet(row)

    async def authenticate(self, token: str | None) -> Device:
        """The device that holds this token; one that another process enrolled is looked up.

        Only hashes are compared, and those in constant time.

        Raises:
            TokenError: nobody holds it.
            GuessedTokensError: so many unknown tokens come that this one is not looked up.
            StorageError: it is unknown here, and the database does not answer.
        """
        if token is None:
            raise TokenError("send Authorization: Bearer <token>, the token that enrolment gave")
        digest = token_sha256(token)
        device = self._by_token.get(digest) or await self._look_up(digest)
        if device is None or not hmac.compare_digest(device.token_sha256, digest):
            raise TokenError("no device holds this token; enrol again with a new claim code")
        return device

    async def _look_up(self, digest: bytes) -> Device | None:
        try:
            self._look_ups.take("", 1, monotonic())
        except QuotaError as error:
            raise GuessedTokensError from error
        query = select(devices).where(devices.c.token_sha256 == digest)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else self._meet(row)

    def _meet(self, row: Row[Any]) -> Device:
        """Take over what the database says of a device, unless it is older than what is known here."""
        known = self._by_token.get(row.token_sha256)
        if known is None:
            known = Device(row.id, row.public_id, row.family, row.token_sha256, row.enrolled_at)
            self._add(known)
        if (row.last_seen_at or 0) > (known.last_seen_at or 0):
            known.last_seen_at, known.last_tables = row.last_seen_at, row.last_tables
        return known

    def _add(self, device: Device) -> None:
        self._by_token[device.token_sha256] = device
        self._by_row[device.row_id] = device

    async def create_claim(self, family: str) -> Claim:
        """A new claim code for one device; only its hash is kept."""
        claim = Claim(new_claim_code(), family, self._now() + CLAIM_LIFETIME_SECONDS)
        row = {"code_sha256": claim_sha256(claim.code), "family": family, "expires_at": claim.expires_at}

        def store(connection: Connection) -> None:
            connection.execute(insert(claims), row)

        await self._database.write(store)
        return claim

    async def enrol(self, code: str) -> Enrolment:
        """Turn a claim code into a device and its token.

        Raises:
            ClaimError: the code is wrong, used or expired.
        """
        token, public_id, now = new_token(), new_device_id(), self._now()
        device = await self._database.write(
            lambda connection: _enrol(connection, claim_sha256(code), public_id, token_sha256(token), now)
        )
        if device is None:
            raise ClaimError("ask the operator for a new code (dctwire claim FAMILY); each works once, for a day")
        self._add(device)
        return Enrolment(device_id=device.public_id, token=token, family=device.family)

    def touch(self, device: Device, tables: str | None = None) -> None:
        """Note that the device was here, and with which tables; `save` makes it durable."""
        device.last_seen_at = self._now()
        if tables is not None:
            device.last_tables = tables
        self._to_save[device.row_id] = device

    def touch_answered(self, answered: AnsweredFrames) -> None:
        """Note that the devices of answered frames were here, and with which tables."""
        for frame in answered.frames:
            self.touch(self._by_row[frame.device_id], answered.tables)

    async def save(self) -> None:
        """Write what `touch` noted.

        Raises:
            StorageError: the database does not answer; the next call writes it.
        """
        changed, self._to_save = list(self._to_save.values()), {}
        if not changed:
            return
        rows = [{"row_id": d.row_id, "seen": d.last_seen_at, "tables": d.last_tables} for d in changed]

        def store(connection: Connection) -> None:
            statement = (
                update(devices)
                .where(
                    devices.c.id == bindparam("row_id"), func.coalesce(devices.c.last_seen_at, 0) < bindparam("seen")
                )
                .values(last_seen_at=bindparam("seen"), last_tables=bindparam("tables"))
            )
            connection.execute(statement, rows)

        try:
            await self._database.write(store)
        except StorageError:
            self._to_save = {device.row_id: device for device in changed} | self._to_save
            raise

    def all(self) -> Iterable[Device]:
        """Every device, oldest first."""
        return sorted(self._by_token.values(), key=lambda device: device.row_id)

    def count_by_tables(self) -> Counter[tuple[str, str]]:
        """How many devices last sent which tables, by (family, tables); "none" before the first frame."""
        return Counter((device.family, device.last_tables or "none") for device in self._by_token.values())


def _enrol(connection: Connection, code_sha256: bytes, public_id: str, token: bytes, now: float) -> Device | None:
    claim = (claims.c.code_sha256 == code_sha256) & claims.c.used_at.is_(None) & (claims.c.expires_at > now)
    using = update(claims).where(claim).values(used_at=now).returning(claims.c.family)
    family = connection.execute(using).scalar_one_or_none()
    if family is None:
        return None
    row = {"public_id": public_id, "family": family, "token_sha256": token, "enrolled_at": now}
    row_id = connection.execute(insert(devices).returning(devices.c.id), row).scalar_one()
    return Device(row_id, public_id, family, token, now)
