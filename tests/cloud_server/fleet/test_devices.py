"""Devices in memory and in the database: what was noted of them outlives an outage."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from cloud_server.answered import AnsweredFrame, AnsweredFrames
from cloud_server.errors import ClaimError, GuessedTokensError, StorageError, TokenError
from cloud_server.fleet.devices import CLAIM_LIFETIME_SECONDS, LOOK_UPS_AT_ONCE, Device, Devices
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.engine import open_engine
from cloud_server.storage.migrating import migrate
from shared.wire import Match

T = TypeVar("T")
ADDRESS = "192.0.2.1"
SECRET, OTHER_SECRET = (f"{word}-secret-0123456789-abcdefghijklmnopqrstuvwxyz" for word in ("one", "two"))


class Outages(Database):
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
        engine = open_engine(None, folder, 5)
        migrate(engine)
        self.now = 1000.0
        self.database = Outages(engine, asyncio.get_running_loop(), 10)
        self.devices = self.read_anew()

    def read_anew(self) -> Devices:
        """What another process has before it loads."""
        return Devices(self.database, lambda: self.now, lambda: self.now)

    async def enrol(self) -> Device:
        """A new device of family digits."""
        claim = await self.devices.create_claim("digits")
        return await self.devices.authenticate((await self.devices.enrol(claim.code, SECRET, ADDRESS)).token)

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
        assert stand.devices.count_by_tables() == {("digits", "v1"): 1, ("digits", "v2"): 1, ("digits", "none"): 1}
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
        frames=tuple(AnsweredFrame(device.row_id, 0, b"jpeg", 2, 0, 0.5) for device in devices),
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
        used, expired = await stand.devices.create_claim("digits"), await stand.devices.create_claim("digits")
        assert (await stand.devices.enrol(used.code, SECRET, ADDRESS)).family == "digits"
        for code in (used.code, "2345-6789-ABCD"):
            with pytest.raises(ClaimError):
                await stand.devices.enrol(code, OTHER_SECRET, ADDRESS)
        stand.now += CLAIM_LIFETIME_SECONDS
        with pytest.raises(ClaimError):
            await stand.devices.enrol(expired.code, SECRET, ADDRESS)
        await stand.close()

    asyncio.run(scenario())


def test_a_device_whose_enrolment_was_not_answered_gets_the_same_answer_for_good(tmp_path: Path) -> None:
    async def scenario() -> None:
        stand = Stand(tmp_path)
        code = (await stand.devices.create_claim("digits")).code
        first = await stand.devices.enrol(code, SECRET, ADDRESS)
        stand.now += 10 * CLAIM_LIFETIME_SECONDS
        assert (
            await stand.read_anew().enrol(code, SECRET, ADDRESS)
            == first
            == await stand.devices.enrol(code.lower(), SECRET, ADDRESS)
        )
        assert len(await stand.stored()) == 1
        await stand.close()

    asyncio.run(scenario())


def test_one_secret_with_two_claim_codes_makes_two_devices(tmp_path: Path) -> None:
    async def scenario() -> None:
        stand = Stand(tmp_path)
        codes = [(await stand.devices.create_claim("digits")).code for _ in range(2)]
        one, two = [await stand.devices.enrol(code, SECRET, ADDRESS) for code in codes]
        assert one.device_id != two.device_id and one.token != two.token
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
