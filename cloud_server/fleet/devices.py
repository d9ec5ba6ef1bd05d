"""The devices: claim codes, enrolment, session tokens, when each was last seen and with which tables."""

import hmac
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from cloud_server.answered import AnsweredFrames
from cloud_server.errors import ClaimError, GuessedTokensError, NotFoundError, QuotaError, StorageError, TokenError
from cloud_server.fleet.claim_guesses import ClaimGuesses
from cloud_server.fleet.quota import Quota, Rate
from cloud_server.fleet.secrets import (
    claim_sha256,
    new_claim_code,
    new_device_id,
    secret_sha256,
    session_token,
    token_sha256,
)
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import devices as rows
from shared.wire import Enrolment

CLAIM_LIFETIME_SECONDS = 24 * 3600.0
LOOK_UPS_PER_SECOND, LOOK_UPS_AT_ONCE = 50.0, 100
"""How often unknown tokens are looked up in the database, so that guessing tokens cannot load it."""


@dataclass(slots=True)
class Device:
    """One enrolled device.

    Args:
        last_sequence: the highest sequence with a stored answer; None: not looked up yet.
        is_deleted: its row is not there any more, as was noticed when an answer was to be stored.
    """

    row_id: int
    public_id: str
    family: str
    token_sha256: bytes
    enrolled_at: float
    last_seen_at: float | None = None
    last_tables: str | None = None
    last_sequence: int | None = None
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """A single-use right to join a family; `expires_at` in seconds since 1970."""

    code: str
    family: str
    expires_at: float


class Devices:
    """Every device, held in memory; the database has the last word at start and is written before any answer.

    Args:
        now: seconds since 1970.
        monotonic: seconds on a clock that never goes back.
    """

    def __init__(self, database: Database, now: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self._monotonic = monotonic
        self._by_token: dict[bytes, Device] = {}
        self._by_row: dict[int, Device] = {}
        self._to_save: dict[int, Device] = {}
        self._revoked: dict[int, float] = {}
        self._revocations = 0
        self._guesses = ClaimGuesses(monotonic)
        self._look_ups: Quota[str] = Quota(Rate(frames_per_second=LOOK_UPS_PER_SECOND, burst_frames=LOOK_UPS_AT_ONCE))

    async def load(self) -> None:
        """Read all devices; at start, and to list what other processes have seen of them.

        Raises:
            StorageError: the database does not answer.
        """
        for row in await self._database.read(rows.every):
            self._meet(row)

    async def authenticate(self, token: str | None) -> Device:
        """The device that holds this token; one that another process enrolled is looked up.

        Only hashes are compared, and those in constant time.

        Raises:
            TokenError: nobody holds it, or a device that is revoked.
            GuessedTokensError: so many unknown tokens come that this one is not looked up.
            StorageError: it is unknown here, and the database does not answer.
        """
        if token is None:
            raise TokenError("send Authorization: Bearer <token>, the token that enrolment gave")
        digest = token_sha256(token)
        device = self._by_token.get(digest) or await self._look_up(digest)
        if device is None or device.is_deleted or not hmac.compare_digest(device.token_sha256, digest):
            raise TokenError("no device holds this token; enrol again with a new claim code")
        if device.row_id in self._revoked:
            raise TokenError(f"device {device.public_id} is revoked; the operator can restore it")
        return device

    async def _look_up(self, digest: bytes) -> Device | None:
        try:
            self._look_ups.take("", 1, self._monotonic())
        except QuotaError as error:
            raise GuessedTokensError from error
        row = await self._database.read(partial(rows.by_token, token_sha256=digest))
        return None if row is None else self._meet(row)

    def _meet(self, row: rows.DeviceRow) -> Device:
        """Take over what the database says of a device, unless it is older than what is known here."""
        known = self._by_token.get(row.token_sha256)
        if known is None:
            self._replace(row.id)
            if row.revoked_at is not None:
                self._revoked[row.id] = row.revoked_at
            known = Device(row.id, row.public_id, row.family, row.token_sha256, row.enrolled_at)
            self._by_token[known.token_sha256] = self._by_row[known.row_id] = known
        if (row.last_seen_at or 0) > (known.last_seen_at or 0):
            known.last_seen_at, known.last_tables = row.last_seen_at, row.last_tables
        return known

    def _replace(self, row_id: int) -> None:
        """Forget a deleted device whose row's number SQLite gives to a new one."""
        if (earlier := self._by_row.get(row_id)) is not None:
            earlier.is_deleted = True
            del self._by_token[earlier.token_sha256]
            self._revoked.pop(row_id, None)

    async def revoke(self, public_id: str) -> Device:
        """Refuse a device's token from now on; other processes do it as soon as they `follow`.

        Raises:
            NotFoundError: no such device is enrolled.
            StorageError: the database does not answer.
        """
        return await self._mark(public_id, partial(rows.revoke, public_id=public_id, now=self._now()))

    async def restore(self, public_id: str) -> Device:
        """Take a device's token again; errors as for `revoke`."""
        return await self._mark(public_id, partial(rows.restore, public_id=public_id))

    def revoked_at(self, device: Device) -> float | None:
        """When a device was revoked; None of one that is let in."""
        return self._revoked.get(device.row_id)

    async def follow(self) -> None:
        """Take over which devices other processes revoked and restored.

        Raises:
            StorageError: the database does not answer.
        """
        before = self._revocations
        revoked = await self._database.read(rows.revoked)
        if before == self._revocations:  # else this may have been read before what was changed here
            self._revoked = revoked

    async def _mark(self, public_id: str, job: Callable[[Transaction], rows.DeviceRow | None]) -> Device:
        row = await self._database.write(job)
        if row is None:
            raise NotFoundError(f"no device {public_id} is enrolled")
        device = self._meet(row)
        self._revocations += 1
        if row.revoked_at is None:
            self._revoked.pop(row.id, None)
        else:
            self._revoked[row.id] = row.revoked_at
        return device

    async def create_claim(self, family: str) -> Claim:
        """A new claim code for one device; only its hash is kept."""
        claim = Claim(new_claim_code(), family, self._now() + CLAIM_LIFETIME_SECONDS)
        sha256 = claim_sha256(claim.code)
        job = partial(rows.add_claim, code_sha256=sha256, family=family, expires_at=claim.expires_at)
        await self._database.write(job)
        return claim

    async def enrol(self, code: str, secret: str, address: str) -> Enrolment:
        """Turn a claim code into a device and its token; the secret that used the code gets the same answer again.

        Args:
            address: where the request comes from.

        Raises:
            ClaimError: the code is wrong, expired, or used with another secret, or its device is revoked.
            GuessedClaimsError: too many wrong codes came from this address.
        """
        async with self._guesses.attempt(address):
            return await self._enrol(code, secret)

    async def _enrol(self, code: str, secret: str) -> Enrolment:
        token = session_token(secret, code)
        job = partial(_enrol, code=code, secret=secret, public_id=new_device_id(), token=token, now=self._now())
        row = await self._database.write(job)
        if row is None or row.revoked_at is not None:
            raise ClaimError("ask the operator for a new code (dctwire claim FAMILY); each works once, for a day")
        device = self._meet(row)
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
        seen = [rows.SeenRow(one.row_id, one.last_seen_at or 0, one.last_tables) for one in changed]
        try:
            await self._database.write(partial(rows.save_seen, seen=seen))
        except StorageError:
            self._to_save = {device.row_id: device for device in changed} | self._to_save
            raise

    def all(self) -> Iterable[Device]:
        """Every device, oldest first."""
        there = (device for device in self._by_token.values() if not device.is_deleted)
        return sorted(there, key=lambda device: device.row_id)

    def count_by_tables(self) -> Counter[tuple[str, str]]:
        """How many devices last sent which tables, by (family, tables); "none" before the first frame."""
        return Counter((device.family, device.last_tables or "none") for device in self._by_token.values())


def _enrol(
    transaction: Transaction, code: str, secret: str, public_id: str, token: str, now: float
) -> rows.DeviceRow | None:
    joining = rows.JoiningRow(claim_sha256(code), secret_sha256(secret))
    family = rows.use_claim(transaction, joining.claim_sha256, now)
    if family is None:
        return rows.joined(transaction, joining)
    return rows.add_device(transaction, public_id, family, token_sha256(token), joining, now)
