"""Rollouts on a real server: devices over HTTP, the loop in the server's own time."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert

from cloud_server.fleet.exposure import share_of
from cloud_server.storage.rows import rollouts
from cloud_server.storage.schema import replicas
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.engines import Engine, Outgrown
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.process import ServerProcess
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until
from tests.cloud_server.rollout.simulated import FAMILY, Fleet, Operator

TABLES = {1: tables(50), 2: tables(25), 3: tables(95)}
NOW = {"min_devices": 0, "max_fail_rate": 0.5}
HALF, ALL = {"percent": 50, **NOW}, {"percent": 100, **NOW}
LED_STAGES: list[dict[str, Any]] = [
    {"percent": 50, "min_devices": 1, "max_fail_rate": 0.5},
    {"percent": 100, "min_devices": 6, "max_fail_rate": 0.5},
]


@pytest.fixture
def server(engine: Engine, tmp_path: Path, bundle_folders: dict[int, Path]) -> Iterator[ServerHarness]:
    """A server with three bundles, the first one assigned; the third makes large frames."""
    write_bundle(tmp_path / "v3", FAMILY, 3, TABLES[3], seed=3)
    with server_in_thread(tmp_path, engine) as harness:
        for folder in (*bundle_folders.values(), tmp_path / "v3"):
            harness.publish(folder)
        harness.assign(FAMILY, 1)
        yield harness


@pytest.fixture
def operator(server: ServerHarness) -> Operator:
    return Operator(server.client("operator"))


@pytest.fixture
def fleet(server: ServerHarness) -> Fleet:
    return Fleet.of(server, TABLES, 12)


def come_to(operator: Operator, rollout: str, state: str, **what: Any) -> dict[str, Any]:
    """Wait until a rollout is in a state; returns it."""
    seen: list[dict[str, Any]] = []

    def is_there() -> bool:
        seen.append(operator.look(rollout))
        return seen[-1]["state"] == state and all(seen[-1][name] == value for name, value in what.items())

    wait_until(is_there)
    return seen[-1]


def exposed(fleet: Fleet, rollout: str, percent: float) -> set[str]:
    """The devices that a rollout exposes, worked out here."""
    ids = [camera.device.device_id for camera in fleet.cameras]
    return {device_id for device_id in ids if share_of(rollout, device_id) < percent}


def state_told(server: ServerHarness) -> set[str]:
    """The states of the family's active rollout that metrics tell."""
    samples = server.scrape().samples
    return {dict(labels)["state"] for name, labels in samples if name == "dctwire_rollout_state"}


def own_steps(server: ServerHarness, rollout: str) -> list[tuple[str, str, str | None]]:
    """What the audit says that the server did to a rollout by itself: to what it came, from what, and why it paused."""
    wanted = {"subject": rollout, "operator": "dctwire-server"}
    entries = server.client("operator").get("/v1/audit", params=wanted).json()["entries"]
    assert all(f"rollout.{entry['after']['state']}" == entry["action"] for entry in entries)
    return [(entry["action"], entry["before"]["state"], entry["after"]["paused_why"]) for entry in reversed(entries)]


def names(fleet: Fleet, counter: int) -> set[str]:
    return {camera.device.device_id for camera in fleet.running(counter)}


def follow(fleet: Fleet, wanted: set[str]) -> None:
    """Wait until exactly these devices are told the new bundle: a server tells it once it has read where it stands."""

    def is_so() -> bool:
        for camera in fleet.cameras:
            camera.look()
        return names(fleet, 2) == wanted

    wait_until(is_so)


def test_a_rollout_reaches_the_devices_of_its_stages_and_releases_the_bundle_in_the_end(
    server: ServerHarness, operator: Operator, fleet: Fleet
) -> None:
    fleet.post()
    assert names(fleet, 1) == {camera.device.device_id for camera in fleet.cameras}
    first = {"percent": 50, "min_devices": 1, "max_fail_rate": 0.5}
    rollout = operator.start(2, [first, ALL])["id"]
    come_to(operator, rollout, "stage", stage=0)
    follow(fleet, exposed(fleet, rollout, 50))
    numbers = {camera.seq for camera in fleet.running(2)}
    for camera in fleet.running(2):
        camera.tell("trial")
    fleet.post(4)
    over = come_to(operator, rollout, "complete")
    assert [action for action, *_ in own_steps(server, rollout)] == [
        "rollout.preflight",
        "rollout.stage",
        "rollout.stage",
        "rollout.complete",
    ]
    assert over["devices"]["confirmed"] >= 1
    fleet.post()
    assert len(names(fleet, 2)) == len(fleet.cameras)
    assert {camera.seq for camera in fleet.cameras} == numbers == {over["seq"]}, "no device hears of a new number"
    assert server.client("operator").get("/v1/bundles").json()["bundles"][1]["is_assigned"]


def test_devices_that_fail_stop_a_rollout_and_exactly_they_get_their_old_assignment_back(
    server: ServerHarness, operator: Operator, fleet: Fleet
) -> None:
    fleet.post()
    old = {camera.seq for camera in fleet.cameras}
    rollout = operator.start(2, [{"percent": 70, "min_devices": 1, "max_fail_rate": 0.01}, ALL])["id"]
    failing = exposed(fleet, rollout, 70)
    assert len(failing) > 3

    def is_told() -> bool:
        for camera in fleet.cameras:
            camera.look()
        return names(fleet, 2) == failing

    wait_until(is_told)
    for camera in fleet.running(2):
        camera.tell("rolled-back")
    come_to(operator, rollout, "rolled-back")
    fleet.post()
    assert {camera.seq for camera in fleet.cameras} == old
    assert operator.look(rollout)["devices"]["rolled_back"] in range(
        1, len(failing) + 1
    )  # who told it before it stopped
    assert own_steps(server, rollout) == [
        ("rollout.preflight", "draft", None),
        ("rollout.stage", "preflight", None),
        ("rollout.rolling-back", "stage", None),
        ("rollout.rolled-back", "rolling-back", None),
    ]


def test_an_operator_pauses_resumes_promotes_and_goes_back(
    server: ServerHarness, operator: Operator, fleet: Fleet
) -> None:
    held = {"percent": 50, "min_devices": 1000}
    rollout = operator.start(2, [held, {"percent": 80, "min_devices": 1000}, ALL])["id"]
    version = come_to(operator, rollout, "stage", stage=0)["version"]
    promoted = operator.steer(rollout, "promote", seen=f'"{version}"')
    assert (promoted.status_code, promoted.json()["stage"], promoted.json()["percent"]) == (200, 1, 80)
    assert promoted.headers["etag"] == f'"{version + 1}"'
    fleet.post()
    assert names(fleet, 2) == exposed(fleet, rollout, 80)
    late = operator.steer(rollout, "pause", seen=f'"{version}"')
    assert (late.status_code, late.json()["code"]) == (412, "changed")
    assert operator.steer(rollout, "pause", seen="3").status_code == 400
    assert operator.steer(rollout, "pause").json()["paused_why"] == "operator"
    wait_until(lambda: state_told(server) == {"paused"})
    fleet.post()
    assert names(fleet, 2) == exposed(fleet, rollout, 80), "a paused rollout keeps its devices"
    assert operator.steer(rollout, "resume", {"stage": 0}).json()["stage"] == 0
    fleet.post()
    assert names(fleet, 2) == exposed(fleet, rollout, 50)
    assert operator.steer(rollout, "resume").json()["code"] == "conflict"
    assert operator.steer(rollout, "promote", {"to_the_end": True}).json()["state"] == "complete"
    fleet.post()
    assert len(names(fleet, 2)) == len(fleet.cameras)
    assert operator.steer(rollout, "abort").status_code == 409
    wait_until(lambda: state_told(server) == set())


def test_a_roll_back_waits_for_every_device_that_sends_the_new_tables(
    server: ServerHarness, operator: Operator, fleet: Fleet
) -> None:
    rollout = operator.start(2, [{"percent": 100, "min_devices": 1000}])["id"]
    come_to(operator, rollout, "stage")
    follow(fleet, exposed(fleet, rollout, 100))
    fleet.post()
    wait_until(lambda: operator.look(rollout)["devices"]["pending"] == len(fleet.cameras))
    with server.database() as database:  # as if it went back for a minute
        row = rollouts.find(database, rollout)
        assert row is not None
        back = row._replace(state="rolling-back", reaches="[]", state_since=row.state_since - 60)
        assert rollouts.change(database, back)
    exposed_now = "dctwire_rollout_exposed_devices", frozenset({("family", FAMILY)})
    wait_until(lambda: server.scrape().samples.get(exposed_now) == 0)
    follow(fleet, set())
    for camera in fleet.cameras:
        assert operator.look(rollout)["state"] == "rolling-back"
        assert camera.device.post(frame(TABLES[1], 9)).status_code == 200
    come_to(operator, rollout, "rolled-back")


def test_an_aborted_rollout_exposes_nobody(operator: Operator, fleet: Fleet) -> None:
    rollout = operator.start(2, [{"percent": 100, "min_devices": 1000}])["id"]
    come_to(operator, rollout, "stage")
    follow(fleet, exposed(fleet, rollout, 100))
    assert operator.steer(rollout, "abort").json()["state"] == "aborted"
    fleet.post()
    assert len(names(fleet, 1)) == len(fleet.cameras)


def test_a_family_has_one_active_rollout_and_an_assignment_or_another_one_ends_it(
    server: ServerHarness, operator: Operator, fleet: Fleet
) -> None:
    waiting = [{"percent": 100, "min_devices": 1000}]
    first = operator.start(2, waiting)["id"]
    wanted = {"family": FAMILY, "counter": 3, "plan": {"stages": waiting}}
    refused = operator.http.post("/v1/rollouts", json=wanted)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert first in refused.json()["detail"]
    second = operator.http.post("/v1/rollouts", json=wanted | {"supersede": True}).json()["id"]
    assert operator.look(first)["state"] == "superseded"
    come_to(operator, second, "stage")
    server.assign(FAMILY, 2)
    assert operator.look(second)["state"] == "superseded"
    fleet.post()
    assert len(names(fleet, 2)) == len(fleet.cameras)
    newest = operator.http.get("/v1/rollouts", params={"limit": 1}).json()
    assert (newest["rollouts"][0]["state"], newest["rollouts"][0]["counter"]) == ("complete", 2)
    third = operator.start(3, waiting)["id"]
    server.assign(FAMILY, 2)
    assert operator.look(third)["state"] == "superseded"
    led = [row["counter"] for row in operator.http.get("/v1/rollouts").json()["rollouts"]]
    assert led[:2] == [3, 2], "what the family runs already is led in by no rollout"
    page = operator.http.get("/v1/rollouts", params={"after": newest["next"], "family": FAMILY}).json()
    assert [row["id"] for row in page["rollouts"]][:2] == [second, first]


def test_a_rollout_that_changes_nothing_or_cannot_be_judged_is_refused(
    server: ServerHarness, operator: Operator, tmp_path: Path
) -> None:
    for counter, said in ((1, "runs v1 already"), (9, "no bundle digits/9")):
        answer = operator.http.post("/v1/rollouts", json={"family": FAMILY, "counter": counter})
        assert said in answer.json()["detail"], answer.text
    write_bundle(tmp_path / "other", "letters", 1, TABLES[1], seed=1)
    server.publish(tmp_path / "other")
    answer = operator.http.post("/v1/rollouts", json={"family": "letters", "counter": 1})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "nothing to compare" in answer.json()["detail"]
    assert operator.http.get("/v1/rollouts/aaaaaaaa").status_code == 404
    assert operator.http.get("/v1/rollouts", params={"family": FAMILY}).json()["rollouts"][0]["state"] == "complete"


def test_a_fleet_that_is_switched_off_neither_proves_nor_stops_a_rollout(
    server: ServerHarness, operator: Operator, fleet: Fleet
) -> None:
    stage = {"percent": 100, "min_devices": 1, "max_fail_rate": 0.01, "deadline_seconds": 3}
    rollout = operator.start(2, [stage], timeout_seconds=1)["id"]
    over = come_to(operator, rollout, "paused")
    assert over["paused_why"] == "inconclusive"
    assert over["devices"]["timed_out"] == over["devices"]["confirmed"] == 0
    assert own_steps(server, rollout)[-1] == ("rollout.paused", "stage", "inconclusive")
    assert len(fleet.cameras) == 12


def test_a_process_that_does_not_serve_the_bundle_holds_a_rollout_before_it_reaches_anybody(
    server: ServerHarness, operator: Operator, fleet: Fleet
) -> None:
    with server.database() as database:
        other = {"id": "elsewhere", "seen_at": time.time() + 60, "serves": "[]", "missing_keys": None}
        database.execute(insert(replicas), other)
    rollout = operator.start(2, [ALL], preflight_seconds=2)["id"]
    over = come_to(operator, rollout, "paused")
    assert (over["paused_why"], over["stage"], over["percent"]) == ("inconclusive", None, 0)
    fleet.post()
    assert len(names(fleet, 1)) == len(fleet.cameras)
    assert operator.steer(rollout, "resume").json()["state"] == "draft"
    with server.database() as database:
        database.execute(delete(replicas).where(replicas.c.id == "elsewhere"))
    come_to(operator, rollout, "complete")


def test_larger_frames_are_stopped_by_a_gate_that_says_so_in_words(server: ServerHarness, operator: Operator) -> None:
    fleet = Fleet.of(server, TABLES, 44)  # a gate believes no handful of devices, under neither bundle
    gates = [{"kind": "bytes"}]
    stage = {"percent": 50, "min_devices": 1, "deadline_seconds": 40, "looks": 4, "gates": gates, "max_fail_rate": 0.5}
    rollout = operator.start(3, [stage, ALL])["id"]
    come_to(operator, rollout, "stage")

    def is_back() -> bool:
        fleet.post()
        return bool(operator.look(rollout)["state"] == "rolled-back")

    wait_until(is_back, 120)
    verdict = operator.look(rollout)["verdicts"][-1]
    assert (verdict["opinion"], verdict["gate"]) == ("fail", "bytes")
    assert verdict["words"].startswith("bytes a frame +")
    fleet.post()
    assert len(names(fleet, 1)) == len(fleet.cameras)


def test_a_server_that_is_started_anew_goes_on_with_its_rollouts(
    tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    """In each state that waits; every start is a new process's, as far as the database tells."""
    stages: list[dict[str, Any]] = [
        {"percent": 50, "min_devices": 1000},
        {"percent": 100, "min_devices": 0, "max_fail_rate": 0.5},
    ]
    with server_in_thread(tmp_path) as harness:
        for folder in bundle_folders.values():
            harness.publish(folder)
        harness.assign(FAMILY, 1)
        fleet = Fleet.of(harness, TABLES, 6)
        fleet.post()
        rollout = Operator(harness.client("operator")).start(2, stages, soak_seconds=3)["id"]
        device_ids = [(camera.device.device_id, camera.device.token) for camera in fleet.cameras]
    assert len(device_ids) == 6
    with server_in_thread(tmp_path) as harness:
        operator = Operator(harness.client("operator"))
        come_to(operator, rollout, "stage", stage=0)
    with server_in_thread(tmp_path) as harness:
        operator = Operator(harness.client("operator"))
        assert operator.look(rollout)["stage"] == 0
        assert operator.steer(rollout, "pause").status_code == 200
    with server_in_thread(tmp_path) as harness:
        operator = Operator(harness.client("operator"))
        assert operator.look(rollout)["state"] == "paused"
        assert operator.steer(rollout, "resume").status_code == 200
        assert operator.steer(rollout, "promote").status_code == 200
        come_to(operator, rollout, "soak")
    with server_in_thread(tmp_path) as harness:
        come_to(Operator(harness.client("operator")), rollout, "complete")


@pytest.mark.system
def test_another_process_goes_on_with_a_rollout_whose_leader_was_killed(
    outgrown: Outgrown, tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    state = outgrown.settings(tmp_path)
    one = ServerProcess(tmp_path / "one", **state)
    for folder in bundle_folders.values():
        one.harness.publish(folder)
    one.harness.assign(FAMILY, 1)
    rollout = Operator(one.harness.client("operator")).start(2, LED_STAGES)["id"]
    one.await_event("rollout-went-on")  # it leads
    (tmp_path / "other" / "data").mkdir(parents=True)
    other = ServerProcess(tmp_path / "other", **state, keys=tmp_path / "one" / "data" / "keys")
    other.harness.first_data = one.harness.data
    fleet = Fleet.of(other.harness, TABLES, 8)
    one.kill()
    operator = Operator(other.harness.client("operator"))
    wait_until(lambda: operator.look(rollout)["state"] == "stage")

    def is_complete() -> bool:
        fleet.post()
        return bool(operator.look(rollout)["state"] == "complete")

    wait_until(is_complete)
    fleet.post(1)
    assert {camera.running for camera in fleet.cameras} == {2}
    assert other.terminate() == 0
