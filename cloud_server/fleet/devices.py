"""The devices: claim codes, enrolment, session tokens, when each was last seen and with which tables."""

import hmac
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import structlog

from cloud_server.answered import AnsweredFrames
from cloud_server.errors import (
    ClaimError,
    GuessedClaimsError,
    GuessedTokensError,
    NotFoundError,
    QuotaError,
    StorageError,
    TokenError,
)
from cloud_server.fleet.guesses import Guesses
from cloud_server.fleet.quota import Quota, Rate
from cloud_server.fleet.secrets import (
    claim_sha256,
    new_claim_code,
    new_device_id,
    secret_sha256,
    token_sha256,
)
from cloud_server.fleet.vouchers import Vouched, Vouchers
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import devices as rows
from cloud_server.storage.witness import Facts, Witness
from shared.wire import Enrolment, EnrolmentRequest, session_token

_log = structlog.get_logger()
CLAIM_LIFETIME_SECONDS = 24 * 3600.0
LOOK_UPS_PER_SECOND, LOOK_UPS_AT_ONCE = 50.0, 100
"""How often unknown tokens are looked up in the database, so that guessing tokens cannot load it."""


@dataclass(slots=True)
class Device:
    """One enrolled device.

    Args:
        last_sequence: the highest sequence of an answered frame that this process knows of; None: not looked up yet.
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


class CloneMark(NamedTuple):
    """Since when a device seems to be two, in seconds since 1970, and what showed it."""

    at: float
    why: str


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
        vouchers: with which devices are known again that the database has no row of.
    """

    def __init__(
        self,
        database: Database,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        vouchers: Vouchers = Vouchers(None),  # noqa: B008 (it never changes)
    ) -> None:
        self._database = database
        self._vouchers = vouchers
        self._now = now
        self._monotonic = monotonic
        self._by_token: dict[bytes, Device] = {}
        self._by_row: dict[int, Device] = {}
        self._to_save: dict[int, Device] = {}
        self._marks: dict[int, rows.MarkRow] = {}
        self._markings = 0
        self._guesses = Guesses(monotonic, ClaimError, GuessedClaimsError)
        self._look_ups: Quota[str] = Quota(Rate(frames_per_second=LOOK_UPS_PER_SECOND, burst_frames=LOOK_UPS_AT_ONCE))

    async def load(self) -> None:
        """Read all devices; at start, and to list what other processes have seen of them.

        Raises:
            StorageError: the database does not answer.
        """
        known = await self._database.read(rows.every)
        for row in known:
            self._meet(row)
        self._vouchers.warn_of_new_key(len(known))

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
        if self.revoked_at(device) is not None:
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
            self._note(row)
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
            self._marks.pop(row_id, None)

    def _note(self, row: rows.DeviceRow) -> None:
        """Keep what is marked on a device, if anything is."""
        if row.revoked_at is None and row.suspected_clone_at is None:
            self._marks.pop(row.id, None)
        else:
            self._marks[row.id] = rows.MarkRow(
                row.id, row.revoked_at, row.suspected_clone_at, row.suspected_clone_why, None
            )

    async def revoke(self, public_id: str, witness: Witness) -> Device:
        """Refuse a device's token from now on; other processes do it as soon as they `follow`.

        Raises:
            NotFoundError: no such device is enrolled.
            StorageError: the database does not answer.
        """
        return await self._mark(public_id, partial(rows.revoke, public_id=public_id, now=self._now()), witness)

    async def restore(self, public_id: str, witness: Witness) -> Device:
        """Take a device's token again; errors as for `revoke`."""
        return await self._mark(public_id, partial(rows.restore, public_id=public_id), witness)

    async def clear_clone_mark(self, public_id: str, witness: Witness) -> Device:
        """Say that a device is not two after all; a new suspicion marks it again. Errors as for `revoke`."""
        return await self._mark(public_id, partial(rows.clear_clone_mark, public_id=public_id), witness)

    async def forget(self, public_id: str, witness: Witness) -> Device:
        """Let a device in never again, not by its voucher either; other processes do so as soon as they `follow`.

        Safe to repeat. Its row stays, so that its id does not come back; whoever calls this deletes its data.

        Raises:
            NotFoundError: no such device was ever enrolled.
            StorageError: the database does not answer.
        """
        job = partial(rows.forget, public_id=public_id, now=self._now())
        device = await self._mark(public_id, job, lambda transaction, before, _: witness(transaction, before, None))
        self._drop(device)
        return device

    def revoked_at(self, device: Device) -> float | None:
        """When a device was revoked; None of one that is let in."""
        marks = self._marks.get(device.row_id)
        return marks.revoked_at if marks else None

    def clone_mark(self, device: Device) -> CloneMark | None:
        """Since when and why a device seems to be two; None of one that does not."""
        marks = self._marks.get(device.row_id)
        if marks is None or marks.suspected_clone_at is None:
            return None
        return CloneMark(marks.suspected_clone_at, marks.suspected_clone_why or "")

    async def mark_clone(self, device: Device, why: str, witness: Witness) -> None:
        """Note that a device seems to be two; errors as for `revoke`."""
        job = partial(rows.mark_clone, row_id=device.row_id, why=why, now=self._now())
        await self._mark(device.public_id, job, witness)

    def count_clones(self) -> int:
        """How many devices seem to be two."""
        return sum(marks.suspected_clone_at is not None for marks in list(self._marks.values()))

    async def follow(self) -> None:
        """Take over which devices other processes revoked, restored, forgot and marked.

        Raises:
            StorageError: the database does not answer.
        """
        before = self._markings
        marked = await self._database.read(rows.marks)
        if before != self._markings:
            return  # this may have been read before what was changed here
        self._marks = {row.id: row for row in marked if row.forgotten_at is None}
        for row in marked:
            if row.forgotten_at is not None and (device := self._by_row.get(row.id)) is not None:
                self._drop(device)

    def _drop(self, device: Device) -> None:
        """Know a forgotten device no more."""
        device.is_deleted = True
        self._by_token.pop(device.token_sha256, None)
        self._by_row.pop(device.row_id, None)
        self._to_save.pop(device.row_id, None)
        self._marks.pop(device.row_id, None)

    async def _mark(
        self, public_id: str, job: Callable[[Transaction], rows.DeviceRow | None], witness: Witness
    ) -> Device:
        row = await self._database.write(partial(_marked, public_id=public_id, job=job, witness=witness))
        if row is None:
            raise NotFoundError(f"no device {public_id} is enrolled")
        device = self._meet(row)
        self._markings += 1
        self._note(row)
        return device

    async def find(self, public_id: str) -> Device:
        """The device of this name, whichever process enrolled it.

        Raises:
            NotFoundError: no such device is enrolled.
            StorageError: the database does not answer.
        """
        row = await self._database.read(partial(rows.by_public_id, public_id=public_id))
        if row is None:
            raise NotFoundError(f"no device {public_id} is enrolled")
        return self._meet(row)

    async def create_claim(self, family: str, witness: Witness) -> Claim:
        """A new claim code for one device; only its hash is kept, and `witness` is not told even that."""
        claim = Claim(new_claim_code(), family, self._now() + CLAIM_LIFETIME_SECONDS)
        sha256 = claim_sha256(claim.code)

        def add(transaction: Transaction) -> None:
            rows.add_claim(transaction, sha256, family, claim.expires_at)
            witness(transaction, None, {"family": family, "expires_at": round(claim.expires_at)})

        await self._database.write(add)
        return claim

    async def enrol(self, wanted: EnrolmentRequest, address: str) -> Enrolment:
        """Turn a claim code into a device and its token; the secret that used the code gets the same answer again.

        Args:
            address: where the request comes from.

        Raises:
            ClaimError: the code is wrong, expired, or used with another secret, or its device is revoked.
            GuessedClaimsError: too many wrong codes came from this address.
        """
        async with self._guesses.attempt(address):
            return await self._enrol(wanted)

    async def _enrol(self, wanted: EnrolmentRequest) -> Enrolment:
        joining = rows.JoiningRow(claim_sha256(wanted.claim_code), secret_sha256(wanted.secret))
        token = session_token(wanted.secret, wanted.claim_code)
        returning = self._vouchers.vouched(wanted, *joining)
        job = partial(
            _enrol, joining=joining, token=token, new_id=new_device_id(), returning=returning, now=self._now()
        )
        row = await self._database.write(job)
        if row is None and returning is not None:
            _log.warning("voucher-refused", device=returning.device_id, does_voucher_hold=returning.is_shown)
        if row is not None and row.revoked_at is not None:
            raise ClaimError(f"device {row.public_id} is revoked; the operator can restore it")
        if row is None:
            raise ClaimError("ask the operator for a new code (dctwire claim FAMILY); each works once, for a day")
        device = self._meet(row)
        voucher = self._vouchers.give(device.public_id, device.family, *joining)
        return Enrolment(device_id=device.public_id, token=token, family=device.family, voucher=voucher)

    def touch(self, device: Device, tables: str | None = None) -> None:
        """Note that the device was here, and with which tables; `save` makes it durable."""
        device.last_seen_at = self._now()
        if tables is not None:
            device.last_tables = tables
        self._to_save[device.row_id] = device

    def touch_answered(self, answered: AnsweredFrames) -> None:
        """Note that the devices of answered frames were here, and with which tables."""
        for frame in answered.frames:
            if (device := self._by_row.get(frame.device_id)) is not None:  # else it was forgotten meanwhile
                self.touch(device, answered.tables)

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
            await self._database.write(partial(rows.save_seen, seen=seen, now=self._now()))
        except StorageError:
            self._to_save = {device.row_id: device for device in changed} | self._to_save
            raise

    def of_row(self, row_id: int) -> Device | None:
        """The device with this row; None of one that was forgotten, or not heard of since the start."""
        return self._by_row.get(row_id)

    def all(self) -> Iterable[Device]:
        """Every device, oldest first."""
        there = (device for device in self._by_token.values() if not device.is_deleted)
        return sorted(there, key=lambda device: device.row_id)

    def count_by_tables(self, is_left_out: Callable[[int], bool]) -> Counter[tuple[str, str]]:
        """How many devices last sent which tables, by (family, tables); "none" before the first frame. For any thread.

        Args:
            is_left_out: whether a device, by its row, is not counted.
        """
        counted = (device for device in list(self._by_token.values()) if not is_left_out(device.row_id))
        return Counter((device.family, device.last_tables or "none") for device in counted)


def _marked(
    transaction: Transaction,
    public_id: str,
    job: Callable[[Transaction], rows.DeviceRow | None],
    witness: Witness,
) -> rows.DeviceRow | None:
    before = rows.by_public_id(transaction, public_id)
    after = job(transaction)
    if before is not None and after is not None:
        witness(transaction, _shown(before), _shown(after))
    return after


def _shown(row: rows.DeviceRow) -> Facts:
    return {"family": row.family, "is_revoked": row.revoked_at is not None, "clone": row.suspected_clone_why}


def _enrol(
    transaction: Transaction,
    joining: rows.JoiningRow,
    token: str,
    new_id: str,
    returning: Vouched | None,
    now: float,
) -> rows.DeviceRow | None:
    """The device that joins, or joined before; None where nobody may join like that."""
    known = rows.by_token(transaction, token_sha256(token))  # which follows from code and secret
    if known is None and returning is not None and returning.is_shown:
        known = rows.readmit(transaction, returning.device_id, returning.family, token_sha256(token), joining, now)
    if returning is not None and (known is None or known.public_id != returning.device_id):
        return None  # never another id for a device that has one
    family = rows.use_claim(transaction, joining.claim_sha256, now)  # a returning device's code is used up, too
    if family is None and known is None:  # the code may have been used for this very device while we waited for it
        known = rows.by_token(transaction, token_sha256(token))
    if known is not None or family is None:
        return known
    return rows.add_device(transaction, new_id, family, token_sha256(token), joining, now)
