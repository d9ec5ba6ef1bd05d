"""Faults in the middle of a rollout: the database gone, clocks that jump, processes that end, devices that flap.

Real servers over real databases, asked over HTTP; their clock is a fake one, so that days pass in a moment.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cloud_server.errors import StorageError
from cloud_server.rollout.standing import GAP_SECONDS
from shared.bundle import Disagreement, Reference
from tests.attacks.rollout_scene import FAMILY, FRAMES, TICK_SECONDS, Scene, tell
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.classifiers import burden
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.frames import tables
from tests.cloud_server.harness.postgresql import PostgreSQL

pytestmark = pytest.mark.usefixtures("silent_servers")

DAY = 86_400.0
EVERYBODY: dict[str, Any] = {"percent": 100, "min_devices": 4, "max_fail_rate": 0, "deadline_seconds": 600}


class OwnPostgreSQL(Engine):
    """A PostgreSQL server of a test's own, to be killed; servers have little patience with it."""

    def __init__(self) -> None:
        self.server = PostgreSQL()

    def settings(self, data: Path) -> dict[str, Any]:
        """Its one database."""
        return {"database_url": self.server.url("postgres"), "database_max_seconds": 2}


@pytest.mark.system
def test_a_database_that_is_away_for_ten_minutes_decides_nothing(tmp_path: Path) -> None:
    """Frames are refused meanwhile; then all goes on, and no device is overdue for what nobody could hear."""
    engine = OwnPostgreSQL()

    async def story(scene: Scene) -> None:
        await scene.start()
        rollout = await scene.begin([EVERYBODY], timeout_seconds=300)
        await scene.run(1)
        await scene.pass_time(2 * TICK_SECONDS)
        assert (await scene.look(rollout))["devices"]["pending"] == 4
        engine.server.kill()
        scene.clock.seconds += 600
        with pytest.raises(StorageError):
            await scene.server.parts.rollouts.tick()
        refused = await scene.cameras[0].post(scene.server, FRAMES[2][1])
        assert refused.status_code == 503 and int(refused.headers["retry-after"]) > 0
        await asyncio.to_thread(engine.server.start)
        while True:
            try:
                await scene.server.tick()
                break
            except StorageError:
                await asyncio.sleep(0.05)
        await scene.run(1)
        await scene.pass_time(2 * TICK_SECONDS)
        seen = await scene.look(rollout)
        assert (seen["state"], seen["devices"]["pending"], seen["devices"]["timed_out"]) == ("stage", 4, 0)
        await scene.run(1)
        await scene.pass_time(2 * TICK_SECONDS)
        assert (await scene.look(rollout))["state"] == "complete"

    try:
        tell(tmp_path, story, engine=engine)
    finally:
        engine.server.close()


@pytest.mark.parametrize("jump", [DAY, -DAY, 60 * DAY, -400 * DAY], ids=["day", "day-back", "months", "year-back"])
def test_a_clock_that_jumps_decides_nothing_and_hangs_nothing(tmp_path: Path, jump: float) -> None:
    """Neither a deadline nor a device is overdue for it, and what is really overdue still is, in time."""

    async def story(scene: Scene) -> None:
        await scene.start()
        rollout = await scene.begin([EVERYBODY], timeout_seconds=300)
        quick, slow = scene.cameras[:3], scene.cameras[3:]
        await scene.run(3, quick)
        await scene.run(1, slow)
        await scene.pass_time(3 * TICK_SECONDS)
        scene.clock.seconds += jump
        await scene.pass_time(TICK_SECONDS)
        await scene.run(1, slow)
        await scene.pass_time(3 * TICK_SECONDS)
        seen = await scene.look(rollout)
        assert (seen["state"], seen["devices"]["confirmed"], seen["devices"]["pending"]) == ("stage", 3, 1)
        for _ in range(20):
            await slow[0].ask(scene.server)
            await scene.pass_time(TICK_SECONDS)
        seen = await scene.look(rollout)
        assert (seen["state"], seen["devices"]["timed_out"]) == ("rolling-back", 1), "it was online, and had its time"

    tell(tmp_path, story)


def test_a_clock_that_is_wrong_for_a_while_leaves_no_device_heard_of_in_the_future(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        scene.clock.seconds += DAY
        await scene.run(1)
        await scene.server.follow()
        scene.clock.seconds -= DAY
        rollout = await scene.begin([EVERYBODY], timeout_seconds=60)
        await scene.pass_time(10 * TICK_SECONDS)
        silent = await scene.look(rollout)
        assert (silent["state"], sum(silent["devices"].values())) == ("stage", 0)
        await scene.run(3)
        await scene.pass_time(3 * TICK_SECONDS)
        assert (await scene.look(rollout))["state"] == "complete"
        back = await scene.begin([EVERYBODY | {"min_devices": 1000}], counter=1)
        await scene.run(3)
        await scene.pass_time(2 * TICK_SECONDS)
        assert (await scene.server.operator.post(f"/v1/rollouts/{back}/rollback", json={})).status_code == 200
        await scene.run(1)
        await scene.pass_time(3 * TICK_SECONDS)
        assert (await scene.look(back))["state"] == "rolled-back", "it is known that they are back"

    tell(tmp_path, story)


def test_a_server_that_was_off_for_a_weekend_goes_on_where_it_was(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        rollout = await scene.begin([EVERYBODY], timeout_seconds=300)
        await scene.run(1)
        await scene.pass_time(2 * TICK_SECONDS)
        await scene.servers.pop().end()
        scene.clock.seconds += 2.5 * DAY
        await scene.start()
        await scene.run(1)
        await scene.pass_time(2 * TICK_SECONDS)
        seen = await scene.look(rollout)
        assert (seen["state"], seen["devices"]["pending"], seen["devices"]["timed_out"]) == ("stage", 4, 0)
        await scene.pass_time(600)
        assert (await scene.look(rollout))["state"] == "paused", "its deadline is ten minutes as ever"

    tell(tmp_path, story)


def test_what_is_led_again_and_again_is_over_at_its_deadline(tmp_path: Path) -> None:
    """Also where each look is nearly a minute after the one before."""

    async def story(scene: Scene) -> None:
        await scene.start()
        rollout = await scene.begin([EVERYBODY])
        for _ in range(10):
            assert (await scene.look(rollout))["state"] == "stage"
            scene.clock.seconds += GAP_SECONDS
            await scene.server.tick()
        assert (await scene.look(rollout))["state"] == "paused"

    tell(tmp_path, story)


def test_devices_that_had_the_old_bundle_meanwhile_are_not_overdue_when_they_are_let_in_again(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        stages = [{"percent": 0.001, "min_devices": 4, "deadline_seconds": 9000}, EVERYBODY]
        rollout = await scene.begin(stages, timeout_seconds=300)
        steer = f"/v1/rollouts/{rollout}"
        await scene.server.operator.post(f"{steer}/promote", json={})
        await scene.run(1)
        await scene.pass_time(2 * TICK_SECONDS)
        assert {camera.running for camera in scene.cameras} == {2}
        await scene.server.operator.post(f"{steer}/pause", json={})
        assert (await scene.server.operator.post(f"{steer}/resume", json={"stage": 0})).status_code == 200
        await scene.pass_time(500)
        await scene.run(1)
        assert {camera.running for camera in scene.cameras} == {1}, "percent was lowered"
        await scene.server.operator.post(f"{steer}/promote", json={})
        await scene.run(1)
        await scene.pass_time(2 * TICK_SECONDS)
        seen = await scene.look(rollout)
        assert (seen["state"], seen["stage"], seen["devices"]["pending"]) == ("stage", 1, 4)

    tell(tmp_path, story)


def test_a_process_that_cannot_load_the_new_classifier_holds_a_rollout_before_it_reaches_anybody(
    tmp_path: Path,
) -> None:
    write_bundle(tmp_path / "large", FAMILY, 4, tables(60), seed=4, change=burden)

    async def story(scene: Scene) -> None:
        await scene.start()
        small = await scene.start(model_memory_bytes=4 << 20)
        rollout = await scene.begin([EVERYBODY | {"min_devices": 0}], counter=4, preflight_seconds=300)
        await scene.pass_time(120)
        seen = await scene.look(rollout)
        assert (seen["state"], seen["percent"]) == ("preflight", 0)
        await scene.run(1)
        assert {camera.running for camera in scene.cameras} == {1}
        scene.servers.remove(small)
        await small.end()
        await scene.pass_time(2 * TICK_SECONDS)
        assert (await scene.look(rollout))["state"] == "complete"

    tell(tmp_path, story, also=(tmp_path / "large",))


def test_a_roll_back_waits_for_devices_that_were_let_in_a_moment_ago_and_for_none_that_is_held_at_the_new_bundle(
    tmp_path: Path,
) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        rollout = await scene.begin([EVERYBODY | {"min_devices": 9, "deadline_seconds": DAY}])
        await scene.run(1)
        pinned, suspected, *free = scene.cameras
        devices, operator = "/v1/devices", scene.server.operator
        held = await operator.put(f"{devices}/{pinned.device_id}/pin", json={"counter": 2})
        kept = await operator.put(f"{devices}/{suspected.device_id}/quarantine", json={"reason": "odd"})
        assert (held.status_code, kept.status_code) == (200, 200)
        assert (await operator.post(f"/v1/rollouts/{rollout}/rollback", json={})).status_code == 200
        await scene.pass_time(2 * TICK_SECONDS)
        assert (await scene.look(rollout))["state"] == "rolling-back"
        await scene.run(1)
        assert ({camera.running for camera in free}, pinned.running, suspected.running) == ({1}, 2, 2)
        await scene.pass_time(2 * TICK_SECONDS)
        assert (await scene.look(rollout))["state"] == "rolled-back"

    tell(tmp_path, story)


def test_a_damaged_file_of_what_the_trainer_measured_keeps_no_rollout_from_its_deadline(tmp_path: Path) -> None:
    reference = Reference(disagreement=Disagreement(counter=1, share=0.02, n=1000))
    bundle = write_bundle(tmp_path / "measured", FAMILY, 4, tables(60), seed=4, reference=reference)

    async def story(scene: Scene) -> None:
        await scene.start()
        gated = {"percent": 50, "looks": 4, "deadline_seconds": 400, "gates": [{"kind": "probes"}]}
        rollout = await scene.begin([gated, EVERYBODY], counter=4)
        (stored,) = (tmp_path / "data").rglob(str(bundle.classifier.reference_sha256))
        stored.write_bytes(b"{")
        await scene.pass_time(500)
        seen = await scene.look(rollout)
        assert (seen["state"], seen["paused_why"]) == ("paused", "inconclusive")
        assert [verdict["opinion"] for verdict in seen["verdicts"]] == ["hold"] * 4

    tell(tmp_path, story, also=(tmp_path / "measured",))


def test_a_process_that_starts_in_the_middle_of_a_stage_answers_rightly_from_the_first_question(
    tmp_path: Path,
) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        await scene.begin([{"percent": 50, "min_devices": 1000}, EVERYBODY])
        await scene.run(1)
        told = {camera.device_id: (camera.running, camera.seq) for camera in scene.cameras}
        assert {running for running, _ in told.values()} == {1, 2}
        await scene.start()
        scene.servers.reverse()
        for camera in scene.cameras:
            answer = await camera.post(scene.server, FRAMES[camera.running][1])
            assert (answer.json()["model"], answer.json()["match"]) == (f"{FAMILY}/{camera.running}", "exact")
            assert int(answer.headers["dw-assignment"]) == camera.seq
        await scene.run(1)
        assert {camera.device_id: (camera.running, camera.seq) for camera in scene.cameras} == told

    tell(tmp_path, story, cameras=12)


def test_a_device_that_flaps_has_failed_is_answered_all_the_while_and_stops_nothing_alone(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        rollout = await scene.begin([EVERYBODY | {"min_devices": 30, "max_fail_rate": 0.05}])
        flapping = scene.cameras[0]
        for _ in range(4):
            await flapping.ask(scene.server)
            for counter in (2, 2, 2, 1, 2, 1):
                answer = await flapping.post(scene.server, FRAMES[counter][3])
                assert (answer.json()["model"], answer.json()["match"]) == (f"{FAMILY}/{counter}", "exact")
            for event in ("confirmed", "rolled-back"):
                assert await flapping.tell(scene.server, event, f"{FAMILY}/2.json") == 204
            await scene.pass_time(TICK_SECONDS)
            assert (await scene.look(rollout))["devices"]["rolled_back"] == 1
        await scene.run(3, scene.cameras[1:])
        await scene.pass_time(2 * TICK_SECONDS)
        seen = await scene.look(rollout)
        assert (seen["state"], seen["devices"]["confirmed"], seen["devices"]["rolled_back"]) == ("complete", 29, 1)

    tell(tmp_path, story, cameras=30)
