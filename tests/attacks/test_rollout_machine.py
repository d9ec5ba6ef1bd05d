"""Rollouts, property by property: whatever operators, devices, clocks and processes do, in whatever order.

Real servers over one database, asked over HTTP; their clock is a fake one. `make test-attacks` tries many more orders.
"""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete

from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.publishing import ModelFolder, publish_folder
from cloud_server.errors import BelowFloorError
from cloud_server.fleet.exposure import reaches_of, share_of
from cloud_server.storage.rows import rollouts
from cloud_server.storage.rows.rollouts import RolloutRow
from cloud_server.storage.schema import leases
from shared.errors import RefusedError
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.server import server_in_thread
from tests.cloud_server.harness.timed import Camera, MovedClock, TimedServer

EXAMPLES = max(6, int(os.environ.get("DCTWIRE_ATTACKS", "100")) // 16)
STEPS = 25
FAMILY = "digits"
CAMERAS = 4
FLOORS = {1: 1, 2: 1, 3: 1, 4: 3}
"""The `min_counter` of each bundle; the last two are published in the course of a story."""
TABLES = {counter: tables(20 + 15 * counter) for counter in FLOORS}
FRAMES = {counter: frame(TABLES[counter]) for counter in FLOORS}
LAST_SECONDS = 50.0
"""Of one tick: less than what counts as a gap."""
TO_THE_END_SECONDS = 300 + 2 * 600 + 200 + 600 + 200
"""All deadlines of a plan below, one after another."""
ENDED = {"complete", "aborted", "rolled-back", "superseded"}
BACK = ENDED - {"complete"} | {"rolling-back"}
_T = TypeVar("_T")


@dataclass
class Beginning:
    """A server's folder with three bundles, the first one assigned, and devices; every story begins with a copy."""

    folder: Path
    cameras: list[tuple[str, str]]

    @property
    def bundles(self) -> dict[int, Path]:
        """The folders of all bundles."""
        return {counter: self.folder / f"v{counter}" for counter in FLOORS}


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Beginning:
    folder = tmp_path_factory.mktemp("beginning")
    for counter, floor in FLOORS.items():
        write_bundle(folder / f"v{counter}", FAMILY, counter, TABLES[counter], seed=counter, min_counter=floor)
    with server_in_thread(folder) as harness:
        for counter in (1, 2):
            harness.publish(folder / f"v{counter}")
        harness.assign(FAMILY, 1)
        made = [harness.enrol(FAMILY) for _ in range(CAMERAS)]
        cameras = [(device.device_id, device.token) for device in made]
    return Beginning(folder, cameras)


def stage(percent: float) -> st.SearchStrategy[dict[str, Any]]:
    """A stage that few devices can pass, within ten minutes."""
    return st.fixed_dictionaries(
        {
            "percent": st.just(percent),
            "min_devices": st.sampled_from([0, 1, 2]),
            "max_fail_rate": st.just(0.5),
            "deadline_seconds": st.just(600),
            "min_soak_seconds": st.sampled_from([0, 60]),
            "looks": st.just(2),
            "gates": st.sampled_from([[], [{"kind": "fallback"}]]),
            "on_fail": st.sampled_from(["pause", "rollback"]),
        }
    )


PLANS = st.fixed_dictionaries(
    {
        "stages": st.tuples(st.sampled_from([30, 60]).flatmap(stage), stage(100)),
        "soak_seconds": st.sampled_from([0, 200]),
        "preflight_seconds": st.just(300),
        "pause_max_seconds": st.just(600),
        "rollback_seconds": st.just(200),
        "timeout_seconds": st.just(300),
        "proofs": st.just(2),
    }
)
COUNTERS = st.sampled_from(sorted(FLOORS))
WHO = st.integers(0, CAMERAS - 1)


class Rollouts(RuleBasedStateMachine):
    """One family, a few devices, two server processes at most, and everything that happens to them."""

    beginning: Beginning

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copytree(self.beginning.folder / "data", self.folder / "data")
        self.clock = MovedClock(time.time())
        self.cameras = [Camera(*one) for one in self.beginning.cameras]
        self.published = {1, 2}
        self.servers: list[TimedServer] = []
        self.exposed: dict[str, set[str]] = {}
        self.asked = 0

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Let the servers work until this is done."""
        return self.loop.run_until_complete(work)

    @initialize(plan=PLANS, are_two=st.booleans())
    def a_story_begins(self, plan: dict[str, Any], are_two: bool) -> None:
        """With one process or two, and a rollout that lets its first devices in."""
        for _ in range(1 + are_two):
            self._start_process()
        self.a_rollout_starts(None, plan, supersede=False)

    def _start_process(self) -> None:
        self.servers.append(self.run(TimedServer.started(self.folder / "data", self.clock)))

    @precondition(lambda self: len(self.servers) == 1)
    @rule()
    def another_process_starts(self) -> None:
        self._start_process()

    @rule(is_replaced=st.booleans())
    def a_process_ends(self, is_replaced: bool) -> None:
        """With all that it has not written; what the other knows of it has lapsed. One is there in any case."""
        self.run(self.servers.pop(0).end())
        if is_replaced or not self.servers:
            self._start_process()

    @property
    def server(self) -> TimedServer:
        """The process that is asked next."""
        self.asked += 1
        return self.servers[self.asked % len(self.servers)]

    @property
    def floor(self) -> int:
        """Below which no device takes a bundle."""
        return max(FLOORS[counter] for counter in self.published)

    def rows(self) -> list[RolloutRow]:
        """All rollouts, the newest first."""
        database = self.servers[0].parts.database
        return list(self.run(database.read(lambda it: rollouts.page(it, FAMILY, None, 100))))

    def command(self, method: str, path: str, body: dict[str, Any] | None = None) -> int:
        """Have an operator do something, whatever comes of it but a fault; and let every process hear of it."""
        answer = self.run(self.server.operator.request(method, path, json=body))
        assert answer.status_code < 500, answer.text
        self.all_follow()
        return answer.status_code

    def all_follow(self) -> None:
        """Let every process read what the others wrote."""
        for server in self.servers:
            self.run(server.follow())

    @rule(chosen=st.none() | COUNTERS, plan=PLANS, supersede=st.booleans())
    def a_rollout_starts(self, chosen: int | None, plan: dict[str, Any], supersede: bool) -> None:
        """To a bundle that is chosen, or to the newest that the family does not run."""
        counter = chosen or max(self.published - {self.released()[0]})
        wanted = {"family": FAMILY, "counter": counter, "plan": plan, "supersede": supersede}
        status = self.command("POST", "/v1/rollouts", wanted)
        assert status in {201, 404, 409}
        assert status != 201 or (counter in self.published and counter >= self.floor)
        self.ticks(2)

    @precondition(lambda self: self.rows())
    @rule(
        what=st.sampled_from(
            [
                ("pause", None),
                ("resume", None),
                ("resume", {"stage": 0}),
                ("promote", None),
                ("promote", {"to_the_end": True}),
                ("abort", None),
                ("rollback", None),
            ]
        )
    )
    def an_operator_steers(self, what: tuple[str, dict[str, Any] | None]) -> None:
        rollout = self.rows()[0].id
        if what[0] == "resume":
            self.exposed.pop(rollout, None)  # an earlier stage has fewer devices
        self.command("POST", f"/v1/rollouts/{rollout}/{what[0]}", what[1] or {})

    @rule(counter=COUNTERS)
    def a_bundle_is_assigned(self, counter: int) -> None:
        status = self.command("POST", "/v1/assignments", {"family": FAMILY, "counter": counter})
        assert (status == 201) == (counter in self.published and counter >= self.floor)

    @rule(who=WHO, counter=COUNTERS, kind=st.sampled_from(["pin", "quarantine"]))
    def a_device_is_held(self, who: int, counter: int, kind: str) -> None:
        camera = self.cameras[who]
        wanted = {"counter": counter} if kind == "pin" else {"reason": "it lies"}
        if self.command("PUT", f"/v1/devices/{camera.device_id}/{kind}", wanted) == 200:
            camera.held.add(kind)

    @precondition(lambda self: any(camera.held for camera in self.cameras))
    @rule()
    def every_device_is_let_go(self) -> None:
        for camera in self.cameras:
            for kind in sorted(camera.held):
                assert self.command("DELETE", f"/v1/devices/{camera.device_id}/{kind}") == 200
            camera.held.clear()
        self.exposed.clear()

    @precondition(lambda self: len(self.published) < len(FLOORS))
    @rule()
    def a_bundle_is_published(self) -> None:
        """The last one raises the floor: refused where something would fall below it."""
        counter = max(self.published) + 1
        self.run(asyncio.to_thread(self._publish, self.server.planes.addresses()["operator"], counter))
        self.all_follow()

    def _publish(self, url: str, counter: int) -> None:
        token = (self.folder / "data" / "admin-token").read_text().strip()
        client, model = OperatorClient(url, token), ModelFolder.read(self.beginning.bundles[counter])
        try:
            now = datetime.fromtimestamp(self.clock.seconds, UTC)
            publish_folder(client, model, self.beginning.folder / "keys", now, lambda _step: None)
            self.published.add(counter)
        except (RefusedError, BelowFloorError) as error:
            assert FLOORS[counter] > self.floor, error
        finally:
            client.close()

    @rule(seconds=st.floats(1, LAST_SECONDS), ticks=st.integers(1, 12))
    def time_passes(self, seconds: float, ticks: int) -> None:
        self.ticks(ticks, seconds)

    @rule(seconds=st.sampled_from([-86_400.0, -3600.0, -120.0, 120.0, 3600.0, 86_400.0]))
    def the_clock_jumps(self, seconds: float) -> None:
        """Nothing is decided for it: neither a deadline nor a device is overdue."""
        before = {row.id: (row.state, row.stage, row.paused_why) for row in self.rows()}
        is_waiting = {row.id for row in self.rows() if row.state in {"paused", "soak", "rolling-back"}}
        self.clock.seconds += seconds
        self.run(self.servers[0].parts.rollouts.tick())
        after = {row.id: (row.state, row.stage, row.paused_why) for row in self.rows()}
        assert {name: after[name] for name in is_waiting - {self._back()}} == {
            name: before[name] for name in is_waiting - {self._back()}
        }
        self.all_follow()

    def _back(self) -> str:
        """The rollout that may be back by now, since its devices are."""
        return next((row.id for row in self.rows() if row.state == "rolled-back"), "")

    @precondition(lambda self: len(self.servers) == 2)
    @rule()
    def both_processes_lead_at_once(self) -> None:
        """The lease of one is lost in the middle of its step."""

        async def lead() -> None:
            first, second = self.servers
            leading = asyncio.ensure_future(first.parts.rollouts.tick())
            await asyncio.sleep(0)
            await second.parts.database.write(lambda it: it.execute(delete(leases)).rowcount)
            await asyncio.gather(leading, second.parts.rollouts.tick())

        self.run(lead())
        self.all_follow()

    def ticks(self, count: int, seconds: float = 5.0) -> None:
        """Every process's works, so often, and so much time before each."""
        for _ in range(count):
            self.clock.seconds += seconds
            self.all_follow()
            for server in self.servers:
                self.run(server.parts.rollouts.tick())
        self.all_follow()

    @rule(who=WHO, frames=st.integers(0, 3), told=st.sampled_from([None, "confirmed", "rolled-back", "rejected"]))
    def a_device_asks_and_posts_and_tells(self, who: int, frames: int, told: str | None) -> None:
        """It runs what it is told, and proves that or tells that it failed; or lies about it."""
        camera = self.cameras[who]
        self.run(camera.ask(self.server))
        for _ in range(frames):
            self._post(camera, camera.running)
        if told is not None:
            self._tell(camera, told, camera.running)
        self.ticks(1)

    @rule()
    def all_devices_do_as_they_are_told(self) -> None:
        for camera in self.cameras:
            self.run(camera.ask(self.server))
            for _ in range(2):
                self._post(camera, camera.running)
        self.ticks(2)

    @rule(who=WHO, counter=COUNTERS, told=st.sampled_from(["confirmed", "rolled-back"]))
    def a_device_lies_or_flaps(self, who: int, counter: int, told: str) -> None:
        """It sends frames of what it should not run, and tells what did not happen."""
        if counter in self.published:
            self._post(self.cameras[who], counter)
        self._tell(self.cameras[who], told, counter)
        self.ticks(1)

    def _post(self, camera: Camera, counter: int) -> None:
        answer = self.run(camera.post(self.server, FRAMES[counter]))
        assert answer.status_code == 200, answer.text

    def _tell(self, camera: Camera, event: str, counter: int) -> None:
        assert self.run(camera.tell(self.server, event, f"{FAMILY}/{counter}.json")) in {204, 404, 429}

    @invariant()
    def one_rollout_is_active_at_most(self) -> None:
        assert sum(row.state not in ENDED for row in self.rows()) <= 1

    @invariant()
    def every_device_is_told_what_its_name_says_and_nothing_below_the_floor(self) -> None:
        """At every process: the new bundle where it is exposed, the old one with its old number where it is not."""
        active = next((row for row in self.rows() if row.state not in ENDED), None)
        released = self.released()
        for camera in self.cameras:
            for server in self.servers:
                told = Camera(camera.device_id, camera.token)
                self.run(told.ask(server))
                assert told.running in self.published and told.running >= self.floor
                if not camera.held:
                    is_new = active is not None and is_exposed(active, camera.device_id)
                    expected = (active.counter, active.seq) if active is not None and is_new else released
                    assert (told.running, told.seq) == expected

    def released(self) -> tuple[int, int]:
        """What the family runs: what was assigned, or completed, last."""
        assignment = self.servers[0].parts.assignments.of_family(FAMILY)
        assert assignment is not None
        completed = [row for row in self.rows() if row.state == "complete"]
        if completed:
            last = max(completed, key=lambda row: row.seq)
            assert (assignment.counter, assignment.seq) == (last.counter, last.seq)
        return assignment.counter, assignment.seq

    @invariant()
    def who_is_exposed_stays_so_until_the_rollout_goes_back(self) -> None:
        for row in self.rows():
            now = {camera.device_id for camera in self.cameras if is_exposed(row, camera.device_id)}
            if row.state in BACK:
                assert not now, "from a roll-back on nobody is"
            else:
                assert self.exposed.get(row.id, set()) <= now
                self.exposed[row.id] = now

    @invariant()
    def a_frame_is_answered(self) -> None:
        camera = self.cameras[self.asked % CAMERAS]
        self._post(camera, camera.running)

    def teardown(self) -> None:
        """When nobody does anything any more, every rollout comes to its end within its deadlines."""
        if self.servers:
            for _ in range(int(TO_THE_END_SECONDS / LAST_SECONDS) + 10):
                if all(row.state in ENDED for row in self.rows()):
                    break
                self.ticks(1, LAST_SECONDS)
            assert [row.state for row in self.rows() if row.state not in ENDED] == []
        for server in self.servers:
            self.run(server.end())
        self.loop.close()
        shutil.rmtree(self.folder)


def is_exposed(row: RolloutRow, device_id: str) -> bool:
    """Whether a rollout leads a device to its bundle."""
    return any(share_of(row.id, device_id) < reach.percent for reach in reaches_of(row.reaches))


@pytest.fixture
def machine(beginning: Beginning, silent_servers: None) -> Iterator[type[Rollouts]]:
    """The machine, from this beginning on."""
    Rollouts.beginning = beginning
    yield Rollouts
    del Rollouts.beginning


def test_whatever_happens_a_rollout_harms_nobody_and_comes_to_an_end(machine: type[Rollouts]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize="DCTWIRE_ATTACKS" not in os.environ,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate],
        ),
    )
