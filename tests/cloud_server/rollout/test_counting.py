"""What is counted of frames while a rollout is active, and under which of its two bundles."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cloud_server.answered import AnsweredFrame, AnsweredFrames
from cloud_server.errors import StorageError
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Device
from cloud_server.fleet.exposure import Reach
from cloud_server.open_storage import engine_of
from cloud_server.rollout.counting import Counting
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows import rollout_counts
from cloud_server.storage.rows.rollout_counts import Arm, CountRow
from cloud_server.storage.witness import unwitnessed
from shared.jpeg import Stream
from shared.wire import Match
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.rollouts import EVERYBODY as ALL
from tests.cloud_server.harness.rollouts import NOW, begun, enrolled
from tests.cloud_server.harness.server import ServerHarness, server_in_thread, settings
from tests.cloud_server.harness.waiting import wait_until
from tests.cloud_server.rollout.simulated import FAMILY, Camera, Fleet, Operator

TABLES = {1: tables(50), 2: tables(25)}
EVERYBODY: list[dict[str, Any]] = [{"percent": 100, "min_devices": 1000}]


def counted(server: ServerHarness, rollout: str) -> dict[str, CountRow]:
    """What is written of the one device that posts, by arm."""
    with server.database() as database:
        return {
            arm.value: CountRow(device_id, arm.value, *numbers)
            for arm in Arm
            for device_id, *numbers in rollout_counts.counts(database, rollout, arm)
        }


def test_frames_count_for_the_bundle_that_answered_and_what_has_none_for_what_the_device_runs(
    server: ServerHarness,
) -> None:
    camera = Fleet.of(server, TABLES, 1).cameras[0]
    camera.device.post(frame(TABLES[1], 1))  # before the rollout: counts nowhere
    operator = Operator(server.client("operator"))
    rollout = operator.start(2, EVERYBODY)["id"]
    wait_until(lambda: operator.look(rollout)["state"] == "stage")
    olds = [frame(TABLES[1], seed) for seed in range(3)]
    news = [frame(TABLES[2], seed) for seed in range(5)]
    others = [frame(tables(80), seed, Stream.INTERCHANGE) for seed in range(2)]
    for data in (*olds, *news, *others):
        assert camera.device.post(data).status_code == 200
    for refused in (b"no jpeg", news[0][:60]):
        assert camera.device.post(refused).status_code in (415, 422)
    wait_until(lambda: counted(server, rollout).get("new", CountRow(0, "", 0, 0, 0, 0, None)).refused == 2)
    arms = counted(server, rollout)
    assert (arms["old"].frames, arms["old"].fallback, arms["old"].refused) == (3, 0, 0)
    assert (arms["new"].frames, arms["new"].fallback) == (7, 2)
    assert 0 < arms["old"].bytes < sum(map(len, olds))
    assert arms["new"].bytes < sum(map(len, (*news, *others)))


def test_a_device_in_quarantine_counts_nowhere(server: ServerHarness) -> None:
    camera, other = Fleet.of(server, TABLES, 2).cameras
    operator = Operator(server.client("operator"))
    held = operator.http.put(f"/v1/devices/{camera.device.device_id}/quarantine", json={"reason": "lens"})
    assert held.status_code == 200, held.text
    rollout = operator.start(2, EVERYBODY)["id"]
    wait_until(lambda: operator.look(rollout)["state"] == "stage")
    for each in (camera, other):
        assert each.device.post(frame(TABLES[2], 1)).status_code == 200
        assert each.device.post(b"no jpeg").status_code == 415
    wait_until(lambda: "new" in counted(server, rollout))
    with server.database() as database:
        assert sum(len(rollout_counts.counts(database, rollout, arm)) for arm in Arm) == 1


def test_what_is_counted_outlasts_a_stop(tmp_path: Path, bundle_folders: dict[int, Path]) -> None:
    with server_in_thread(tmp_path) as harness:
        for folder in bundle_folders.values():
            harness.publish(folder)
        harness.assign(FAMILY, 1)
        operator = Operator(harness.client("operator"))
        rollout = operator.start(2, EVERYBODY)["id"]
        wait_until(lambda: operator.look(rollout)["state"] == "stage")
        Camera(harness.enrol(FAMILY)).device.post(frame(TABLES[2], 1))
    with server_in_thread(tmp_path) as harness:
        assert counted(harness, rollout)["new"].frames == 1


T = TypeVar("T")


class GoneOnce(Database):
    """A database that does not answer the next write where that is said."""

    is_gone = False

    async def write(self, job: Callable[[Transaction], T]) -> T:
        """As a database, unless it is gone."""
        if self.is_gone:
            self.is_gone = False
            raise StorageError("the database is away")
        return await super().write(job)


class Counted:
    """What one device of digits, led from bundle 1 to 2, is counted for."""

    def __init__(self, database: GoneOnce, counting: Counting, device: Device, rollout: str) -> None:
        self.database, self.counting, self.device, self._rollout = database, counting, device, rollout

    def answer(self, model: str, match: Match, *, is_counted: bool = True, device_id: int | None = None) -> None:
        """A frame of 9 bytes, of which 2 are its scan, was answered."""
        sent_by = self.device.row_id if device_id is None else device_id
        frame = AnsweredFrame(sent_by, 1, b"jpeg jpeg", 2, 0, 0.5, is_counted)
        answered = AnsweredFrames(
            family="digits",
            model=model,
            labels=("one",),
            match=match,
            tables="v1",
            table_set=None,
            answered_at=NOW,
            frames=(frame,),
        )
        self.counting.observe(answered)

    async def rows(self) -> list[tuple[Any, ...]]:
        """Arm, frames, bytes, fallback and refused, as they are written."""
        await self.counting.save()
        found = []
        for arm in (Arm.NEW, Arm.OLD):
            rows = await self.database.read(partial(rollout_counts.counts, rollout=self._rollout, arm=arm))
            found += [(arm.value, *row[1:5]) for row in rows]
        return found


def with_counting(folder: Path, scenario: Callable[[Counted], Awaitable[None]], *reaches: Reach) -> None:
    """Play a scenario while a rollout exposes these."""

    async def scene() -> None:
        connector = engine_of(settings(folder))
        migrate(connector)
        database = GoneOnce(connector, asyncio.get_running_loop(), 10)
        assignments = Assignments(database, lambda: NOW)
        device = Device(await database.write(partial(enrolled, public_id="k3v9x2mq")), "k3v9x2mq", "digits", b"", NOW)
        await assignments.assign_family("digits", 1, unwitnessed, lambda _: None)
        rollout = await database.write(partial(begun, reaches=reaches))
        await assignments.load()
        counting = Counting(database, assignments, {device.row_id: device}.get)
        try:
            await scenario(Counted(database, counting, device, rollout.id))
        finally:
            await asyncio.to_thread(database.close)

    asyncio.run(scene())


def test_what_says_nothing_of_the_two_bundles_counts_nowhere(tmp_path: Path) -> None:
    async def scenario(there: Counted) -> None:
        there.answer("digits/2", Match.RESIZED)
        there.answer("digits/3", Match.EXACT)
        there.answer("digits/2", Match.EXACT, is_counted=False)
        there.answer("digits/2", Match.EXACT, device_id=there.device.row_id + 1)
        there.counting.count_refused(there.device, 0)
        assert await there.rows() == []

    with_counting(tmp_path, scenario, ALL)


@pytest.mark.parametrize(("reaches", "arm"), [((), "old"), ((ALL,), "new")], ids=["not exposed", "exposed"])
def test_what_neither_bundle_answered_counts_for_the_one_that_the_device_is_led_to(
    tmp_path: Path, reaches: tuple[Reach, ...], arm: str
) -> None:
    async def scenario(there: Counted) -> None:
        there.answer("digits/fallback", Match.FALLBACK)
        there.counting.count_refused(there.device, 3)
        assert await there.rows() == [(arm, 1, 2, 1, 3)]

    with_counting(tmp_path, scenario, *reaches)


def test_what_could_not_be_written_is_written_with_what_came_since(tmp_path: Path) -> None:
    async def scenario(there: Counted) -> None:
        there.answer("digits/2", Match.EXACT)
        there.database.is_gone = True
        with pytest.raises(StorageError):
            await there.counting.save()
        there.answer("digits/2", Match.EXACT)
        there.answer("digits/1", Match.EXACT)
        assert await there.rows() == [("new", 2, 4, 0, 0), ("old", 1, 2, 0, 0)]
        assert await there.rows() == [("new", 2, 4, 0, 0), ("old", 1, 2, 0, 0)], "once"

    with_counting(tmp_path, scenario, ALL)


def test_how_long_encoding_takes_is_kept_for_the_bundle_that_the_device_says_is_in_use(server: ServerHarness) -> None:
    camera = Fleet.of(server, TABLES, 1).cameras[0]
    operator = Operator(server.client("operator"))
    told = {"program": "1", "boot": "0123456789abcdef", "boots": 1, "uptime_seconds": 1, "schemas": [1], "features": []}
    told["spool"] = {"frames": 0, "bytes": 0, "dropped": 0}

    def tell(target: str, seconds: float | None) -> None:
        active = {"target": target, "tables": "00112233aabbccdd"}
        beat = told | {"active": active, "encode_seconds_median": seconds}
        assert camera.device.http.post("/v1/heartbeat", json=beat).status_code == 204

    tell("digits/1.json", 9.0)  # before the rollout
    rollout = operator.start(2, EVERYBODY)["id"]
    tell("digits/1.json", 0.5)
    tell("digits/2.json", 0.25)
    tell("digits/2.json", None)
    tell("digits/3.json", 7.0)  # none of the two
    tell("letters/2.json", 8.0)  # another family's
    arms = counted(server, rollout)
    assert {arm: row.encode_seconds for arm, row in arms.items()} == {"old": 0.5, "new": 0.25}
