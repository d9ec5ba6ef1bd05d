"""Devices in memory and in the database: what was noted of them outlives an outage."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
import structlog
from structlog.testing import LogCapture

from cloud_server.answered import AnsweredFrame, AnsweredFrames
from cloud_server.errors import ClaimError, GuessedTokensError, NotFoundError, StorageError, TokenError
from cloud_server.fleet.devices import CLAIM_LIFETIME_SECONDS, LOOK_UPS_AT_ONCE, Device, Devices
from cloud_server.fleet.secrets import claim_sha256
from cloud_server.fleet.vouchers import Vouchers
from cloud_server.storage.database import Transaction
from cloud_server.storage.engine import open_engine
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows import devices as rows
from cloud_server.storage.witness import unwitnessed
from shared.wire import Enrolment, EnrolmentRequest, Match
from tests.cloud_server.harness.late_reads import LateReads

T = TypeVar("T")
ADDRESS = "192.0.2.1"
SECRET, OTHER_SECRET = (f"{word}-secret-0123456789-abcdefghijklmnopqrstuvwxyz" for word in ("one", "two"))


@pytest.fixture
def logged() -> Iterator[LogCapture]:
    before, captured = structlog.get_config(), LogCapture()
    structlog.configure(processors=[captured], wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    yield captured
    structlog.configure(**before)


def joining(code: str, secret: str) -> EnrolmentRequest:
    """What a new device sends."""
    return EnrolmentRequest(claim_code=code, secret=secret)


class Outages(LateReads):
    """A database that does not answer writes while `is_away`."""

    is_away = False

    async def write(self, job: Callable[[Transaction], T]) -> T:
        """As a database, or not at all."""
        if self.is_away:
            raise StorageError("the database does not answer")
        return await super().write(job)


class Stand:
    """Devices on a database in a folder, and a clock to be moved."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        engine = open_engine(None, folder, 5)
        migrate(engine)
        self.now = 1000.0
        self.database = Outages(engine, asyncio.get_running_loop(), 10)
        self.vouchers = Vouchers(b"k" * 32)
        self.devices = self.read_anew()

    def read_anew(self) -> Devices:
        """What another process has before it loads."""
        return Devices(self.database, lambda: self.now, lambda: self.now, self.vouchers)

    async def enrol(self) -> Device:
        """A new device of family digits."""
        claim = await self.devices.create_claim("digits", unwitnessed)
        return await self.devices.authenticate((await self.devices.enrol(joining(claim.code, SECRET), ADDRESS)).token)

    async def stored(self) -> list[tuple[float | None, str | None]]:
        """When each device was last here and with which tables, as the database says."""
        devices = self.read_anew()
        await devices.load()
        return [(device.last_seen_at, device.last_tables) for device in devices.all()]

    async def close(self) -> None:
        """Let go of the database."""
        await asyncio.to_thread(self.database.close)


def test_what_was_noted_while_the_database_was_away_is_saved_when_it_is_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        stand = Stand(tmp_path)
        early, late = await stand.enrol(), await stand.enrol()
        stand.devices.touch(early, "v1")
        stand.database.is_away = True
        with pytest.raises(StorageError):
            await stand.devices.save()
        stand.now = 2000.0
        stand.devices.touch(late, "v2")
        with pytest.raises(StorageError):
            await stand.devices.save()
        stand.database.is_away = False
        await stand.devices.save()
        assert await stand.stored() == [(1000.0, "v1"), (2000.0, "v2")]
        await stand.close()

    asyncio.run(scenario())


def test_whose_frames_were_answered_was_here_with_those_tables(tmp_path: Path) -> None:
    async def scenario() -> None:
        stand = Stand(tmp_path)
        one, two, _ = [await stand.enrol() for _ in range(3)]
        stand.devices.touch_answered(answered("v1", one, two))
        stand.devices.touch_answered(answered("v2", two))
        assert stand.devices.count_by_tables(lambda _: False) == {
            ("digits", "v1"): 1,
            ("digits", "v2"): 1,
            ("digits", "none"): 1,
        }
        await stand.devices.save()
        assert await stand.stored() == [(1000.0, "v1"), (1000.0, "v2"), (None, None)]
        await stand.close()

    asyncio.run(scenario())


def answered(tables: str, *devices: Device) -> AnsweredFrames:
    """A frame of each of these devices was answered."""
    return AnsweredFrames(
        family="digits",
        model="digits/1",
        labels=("zero",),
        match=Match.EXACT,
        tables=tables,
        table_set=None,
        answered_at=1.0,
        frames=tuple(AnsweredFrame(device.row_id, 0, b"jpeg", 2, 0, 0.5, True) for device in devices),
    )


def test_what_another_process_noted_later_stands(tmp_path: Path) -> None:
    async def scenario() -> None:
        stand = Stand(tmp_path)
        device = await stand.enrol()
        other = stand.read_anew()
        await other.load()
        stand.devices.touch(device, "v1")
        stand.now = 2000.0
        other.touch(next(iter(other.all())), "v2")
        await other.save()
        await stand.devices.save()
        assert await stand.stored() == [(2000.0, "v2")]
        await stand.close()

    asyncio.run(scenario())


def test_a_claim_code_works_once_and_for_a_day(tmp_path: Path) -> None:
    async def scenario() -> None:
        stand = Stand(tmp_path)
        used, expired = [await stand.devices.create_claim("digits", unwitnessed) for _ in range(2)]
        assert (await stand.devices.enrol(joining(used.code, SECRET), ADDRESS)).family == "digits"
        for code in (used.code, "2345-6789-ABCD"):
            with pytest.raises(ClaimError):
                await stand.devices.enrol(joining(code, OTHER_SECRET), ADDRESS)
        stand.now += CLAIM_LIFETIME_SECONDS
        with pytest.raises(ClaimError):
            await stand.devices.enrol(joining(expired.code, SECRET), ADDRESS)
        await stand.close()

    asyncio.run(scenario())


def test_a_device_whose_enrolment_was_not_answered_gets_the_same_answer_for_good(tmp_path: Path) -> None:
    async def scenario() -> None:
        stand = Stand(tmp_path)
        code = (await stand.devices.create_claim("digits", unwitnessed)).code
        first = await stand.devices.enrol(joining(code, SECRET), ADDRESS)
        stand.now += 10 * CLAIM_LIFETIME_SECONDS
        assert (
            await stand.read_anew().enrol(joining(code, SECRET), ADDRESS)
            == first
            == await stand.devices.enrol(joining(code.lower(), SECRET), ADDRESS)
        )
        assert len(await stand.stored()) == 1
        await stand.close()

    asyncio.run(scenario())


def test_one_secret_with_two_claim_codes_makes_two_devices(tmp_path: Path) -> None:
    async def scenario() -> None:
        stand = Stand(tmp_path)
        codes = [(await stand.devices.create_claim("digits", unwitnessed)).code for _ in range(2)]
        one, two = [await stand.devices.enrol(joining(code, SECRET), ADDRESS) for code in codes]
        assert one.device_id != two.device_id and one.token != two.token
        await stand.close()

    asyncio.run(scenario())


def test_a_device_that_an_older_database_does_not_know_comes_back_as_itself(tmp_path: Path) -> None:
    """Its claim code is not known either, or known as unused, or long expired: the voucher says who it is."""

    async def scenario() -> None:
        stand = Stand(tmp_path / "now")
        for code_is_known, later_seconds in ((False, 0), (True, 0), (True, 2 * CLAIM_LIFETIME_SECONDS)):
            older = Stand(tmp_path / f"{code_is_known}-{later_seconds}")
            made = await (older if code_is_known else stand).devices.create_claim("digits", unwitnessed)
            if code_is_known:  # the backup was made between the two
                await stand.database.write(
                    partial(rows.add_claim, code_sha256=claim_sha256(made.code), family="digits", expires_at=1e9)
                )
            first = await stand.devices.enrol(joining(made.code, SECRET), ADDRESS)
            older.now += later_seconds
            assert await older.devices.enrol(returning(made.code, first), ADDRESS) == first
            assert await older.read_anew().enrol(returning(made.code, first), ADDRESS) == first
            assert (await older.devices.authenticate(first.token)).public_id == first.device_id
            with pytest.raises(ClaimError):  # the code is used up there as well
                await older.devices.enrol(joining(made.code, OTHER_SECRET), ADDRESS)
            await older.close()
        await stand.close()

    asyncio.run(scenario())


def test_a_voucher_that_does_not_hold_never_leads_to_another_id(tmp_path: Path, logged: LogCapture) -> None:
    async def scenario() -> None:
        stand, older = Stand(tmp_path / "now"), Stand(tmp_path / "older")
        code = (await older.devices.create_claim("digits", unwitnessed)).code
        await stand.database.write(
            partial(rows.add_claim, code_sha256=claim_sha256(code), family="digits", expires_at=1e9)
        )
        first = await stand.devices.enrol(joining(code, SECRET), ADDRESS)
        with pytest.raises(ClaimError):
            await older.devices.enrol(returning(code, first, voucher="A" * 43), ADDRESS)
        assert [line["event"] for line in logged.entries] == ["voucher-refused"]
        assert await older.stored() == []
        await stand.close()
        await older.close()

    asyncio.run(scenario())


def test_a_key_that_was_made_anew_beside_devices_is_warned_of_once(tmp_path: Path, logged: LogCapture) -> None:
    async def scenario() -> None:
        stand = Stand(tmp_path / "data")
        stand.vouchers = Vouchers.of_folder(tmp_path)
        await stand.read_anew().load()
        stand.vouchers = Vouchers.of_folder(tmp_path)
        await stand.enrol()
        await stand.read_anew().load()
        (tmp_path / "enrolment.key").unlink()
        stand.vouchers = Vouchers.of_folder(tmp_path)
        await stand.read_anew().load()
        await stand.read_anew().load()
        assert [line["event"] for line in logged.entries] == ["enrolment-key-was-missing"]
        await stand.close()

    asyncio.run(scenario())


def returning(code: str, first: Enrolment, **changes: str) -> EnrolmentRequest:
    """What a device sends that was enrolled before."""
    known = {"device_id": first.device_id, "family": first.family, "voucher": first.voucher}
    return EnrolmentRequest.model_validate({"claim_code": code, "secret": SECRET} | known | changes)


def test_a_voucher_lets_nobody_else_in_and_nothing_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        stand, older = Stand(tmp_path / "now"), Stand(tmp_path / "older")
        code = (await stand.devices.create_claim("digits", unwitnessed)).code
        first = await stand.devices.enrol(joining(code, SECRET), ADDRESS)
        forged = (
            returning(code, first, voucher="A" * 43),
            returning(code, first, device_id="22222222"),
            returning(code, first, family="letters"),
            returning(code, first, secret=OTHER_SECRET),
            returning("2345-6789-ABCD", first),
        )
        for wanted in forged:
            with pytest.raises(ClaimError):
                await older.devices.enrol(wanted, ADDRESS)
        older.vouchers = Vouchers(b"another key of 32 bytes or so...")
        with pytest.raises(ClaimError):
            await older.read_anew().enrol(returning(code, first), ADDRESS)
        assert await older.stored() == []
        await stand.close()
        await older.close()

    asyncio.run(scenario())


def test_a_device_comes_back_also_where_a_stranger_has_used_its_code_meanwhile(tmp_path: Path) -> None:
    async def scenario() -> None:
        stand, older = Stand(tmp_path / "now"), Stand(tmp_path / "older")
        code = (await older.devices.create_claim("digits", unwitnessed)).code
        await stand.database.write(
            partial(rows.add_claim, code_sha256=claim_sha256(code), family="digits", expires_at=1e9)
        )
        first = await stand.devices.enrol(joining(code, SECRET), ADDRESS)
        other = await older.devices.enrol(joining(code, OTHER_SECRET), ADDRESS)  # after the restore, and before ours
        for _ in range(2):
            assert await older.devices.enrol(returning(code, first), ADDRESS) == first
        assert (await older.devices.authenticate(first.token)).public_id == first.device_id
        assert (await older.devices.authenticate(other.token)).public_id == other.device_id
        await stand.close()
        await older.close()

    asyncio.run(scenario())


def test_a_forgotten_device_stays_out_everywhere_also_with_its_voucher(tmp_path: Path) -> None:
    async def scenario() -> None:
        stand = Stand(tmp_path)
        code = (await stand.devices.create_claim("digits", unwitnessed)).code
        made = await stand.devices.enrol(joining(code, SECRET), ADDRESS)
        neighbour = await stand.enrol()
        other = stand.read_anew()
        known_there = await other.authenticate(made.token)
        for _ in range(2):  # safe to repeat
            await stand.devices.forget(made.device_id, unwitnessed)
        await other.follow()
        assert known_there.is_deleted
        for devices in (stand.devices, other, stand.read_anew()):
            with pytest.raises(TokenError):
                await devices.authenticate(made.token)
            for wanted in (joining(code, SECRET), returning(code, made)):
                with pytest.raises(ClaimError):
                    await devices.enrol(wanted, ADDRESS)
            for change in (devices.revoke, devices.restore):
                with pytest.raises(NotFoundError):
                    await change(made.device_id, unwitnessed)
        assert [device.public_id for device in stand.devices.all()] == [neighbour.public_id]
        assert [device.public_id for device in other.all()] == []
        with pytest.raises(NotFoundError):
            await stand.devices.forget("nobody", unwitnessed)
        stand.devices.touch_answered(answered("v1", known_there, neighbour))  # a frame that was under way
        assert stand.devices.count_by_tables(lambda _: False) == {("digits", "v1"): 1}
        await stand.close()

    asyncio.run(scenario())


def test_a_device_that_is_revoked_while_the_marks_are_read_stays_out(tmp_path: Path) -> None:
    async def scenario() -> None:
        stand = Stand(tmp_path)
        device = await stand.enrol()
        stand.database.meanwhile = partial(stand.devices.revoke, device.public_id, unwitnessed)
        await stand.devices.follow()
        assert stand.devices.revoked_at(device) == stand.now
        await stand.close()

    asyncio.run(scenario())


def test_guessed_tokens_reach_the_database_only_so_often(tmp_path: Path) -> None:
    async def scenario() -> None:
        stand = Stand(tmp_path)
        for number in range(LOOK_UPS_AT_ONCE):
            with pytest.raises(TokenError):
                await stand.devices.authenticate(f"guess {number}")
        with pytest.raises(GuessedTokensError):
            await stand.devices.authenticate("one guess more")
        stand.now += 1
        with pytest.raises(TokenError):
            await stand.devices.authenticate("a second later")
        await stand.close()

    asyncio.run(scenario())
