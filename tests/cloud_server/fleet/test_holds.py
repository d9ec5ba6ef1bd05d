"""Devices that are pinned or in quarantine: what they should run, and what is said and counted of them."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_server.fleet.assignments import Assignments, Hold, target_of
from cloud_server.fleet.devices import Devices
from cloud_server.open_storage import engine_of
from cloud_server.registry.floor import Falling
from cloud_server.storage.database import Database
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows.assignments import HoldKind, held_counters, sent_counters
from cloud_server.storage.rows.devices import SeenRow, save_seen
from cloud_server.storage.witness import unwitnessed
from shared.jpeg import Stream
from shared.wire import Assignment, EnrolmentRequest, ProblemCode
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.feedback import KEEP_ALL, answered, kept, other_than, put_label, review
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.late_reads import LateReads
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, gained, server_in_thread, settings

ORDINARY = frame(tables(83), 3, Stream.INTERCHANGE)


def assignment(counter: int) -> Assignment:
    return Assignment(seq=counter, family="digits", counter=counter, target=f"digits/{counter}.json")


def held(counter: int | None) -> Hold:
    return Hold("digits", None if counter is None else assignment(counter), 0.0, None)


counters = st.none() | st.integers(1, 9)
holds = st.none() | counters.map(held)


@given(counters, counters, holds, holds)
def test_a_target_is_the_quarantines_else_the_pins_else_the_rollouts_else_the_familys(
    of_family: int | None, of_rollout: int | None, pin: Hold | None, quarantine: Hold | None
) -> None:
    family, exposed = (None if counter is None else assignment(counter) for counter in (of_family, of_rollout))
    held = [hold for hold in (quarantine, pin) if hold is not None]
    wanted = [*(hold.assignment for hold in held), None if held else exposed, family]
    assert target_of(family, pin, quarantine, exposed) == next((one for one in wanted if one is not None), None)


@pytest.fixture(scope="module")
def server(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory, bundle_folders: dict[int, Path]
) -> Iterator[ServerHarness]:
    """A server with bundles 1 to 3 of digits, the first one assigned, that keeps every frame as a sample."""
    folder = tmp_path_factory.mktemp("holds")
    write_bundle(folder / "v3", "digits", 3, tables(60), seed=3)
    with server_in_thread(folder, engine, **KEEP_ALL) as harness:
        for bundle in (*bundle_folders.values(), folder / "v3"):
            harness.publish(bundle)
        harness.assign("digits", 1)
        yield harness


@pytest.fixture
def device(server: ServerHarness) -> Device:
    server.assign("digits", 1)
    return server.enrol("digits")


def put(server: ServerHarness, device: Device, part: str, **body: Any) -> dict[str, Any]:
    answer = server.client("operator").put(f"/v1/devices/{device.device_id}/{part}", json=body)
    assert answer.status_code == 200, answer.text
    row: dict[str, Any] = answer.json()
    return row


def delete(server: ServerHarness, device: Device, part: str) -> dict[str, Any]:
    row: dict[str, Any] = server.client("operator").delete(f"/v1/devices/{device.device_id}/{part}").json()
    return row


def told(device: Device) -> tuple[int, int]:
    """The number and the counter that a device is told."""
    found = Assignment.model_validate_json(device.http.get("/v1/assignment").content)
    assert device.http.get("/v1/assignment").headers["dw-assignment"] == str(found.seq)
    return found.seq, found.counter


def test_a_pinned_device_runs_its_own_bundle_until_it_is_let_go(server: ServerHarness, device: Device) -> None:
    neighbour, before = server.enrol("digits"), told(device)
    row = put(server, device, "pin", counter=2)
    assert (row["pinned"], row["assigned"], row["assignment_seq"]) == (2, 2, told(device)[0])
    assert told(device)[1] == 2 and told(neighbour) == before
    assert [device.post(ORDINARY).json()["model"], neighbour.post(ORDINARY).json()["model"]] == ["digits/2", "digits/1"]
    server.assign("digits", 3)
    assert (told(device)[1], told(neighbour)[1]) == (2, 3)
    row = delete(server, device, "pin")
    assert (row["pinned"], row["assigned"]) == (None, 3)
    assert told(device) == told(neighbour)


def test_every_target_of_a_device_has_a_number_of_its_own(server: ServerHarness, device: Device) -> None:
    seen = [told(device)]
    for counter in (2, 3, 2):
        put(server, device, "pin", counter=counter)
        seen.append(told(device))
        put(server, device, "pin", counter=counter)
        assert told(device) == seen[-1], "the same again changes nothing"
    delete(server, device, "pin")
    delete(server, device, "pin")
    assert told(device) == seen[0]
    server.assign("digits", 2)
    seen.append(told(device))
    put(server, device, "pin", counter=3)
    seen.append(told(device))
    assert [counter for _, counter in seen] == [1, 2, 3, 2, 2, 3]
    assert len({seq for seq, _ in seen}) == len(seen)


def test_a_quarantine_holds_a_device_at_what_it_runs_and_stands_above_its_pin(
    server: ServerHarness, device: Device
) -> None:
    answered(device, data=frame(tables(25)))
    row = put(server, device, "quarantine", reason="lens is dirty")
    assert (row["assigned"], row["quarantine"]["counter"], row["quarantine"]["reason"]) == (2, 2, "lens is dirty")
    put(server, device, "pin", counter=3)
    server.assign("digits", 3)
    assert told(device)[1] == 2
    again = put(server, device, "quarantine", reason="lens is still dirty")
    assert again["quarantine"] | {"reason": ""} == row["quarantine"] | {"reason": ""}
    assert put(server, device, "quarantine", reason="try this", counter=1)["assigned"] == 1
    assert delete(server, device, "quarantine")["assigned"] == 3


def test_a_device_in_quarantine_that_sent_nothing_is_held_at_its_familys_bundle(
    server: ServerHarness, device: Device
) -> None:
    assert put(server, device, "quarantine", reason="stolen?")["quarantine"]["counter"] == 1
    stranger = server.enrol("strangers")
    row = put(server, stranger, "quarantine", reason="stolen?")
    assert (row["quarantine"]["counter"], row["assigned"]) == (None, None)


def test_frames_of_a_device_in_quarantine_are_answered_and_counted_nowhere(
    server: ServerHarness, device: Device
) -> None:
    def counted() -> tuple[Any, ...]:
        document = server.client("operator").get("/v1/report", params={"family": "digits"}).json()
        versions = {version["tables"]: version for version in document["versions"]}
        v3 = versions.get("v3", {"frames": 0, "devices": 0, "accuracy": None, "bytes": None})
        return v3["frames"], v3["devices"], v3["accuracy"]

    def sampled() -> set[str]:
        page = server.client("operator").get("/v1/samples", params={"limit": 500}).json()
        return {sample["frame_id"] for sample in page["samples"]}

    put(server, device, "quarantine", reason="lens is dirty")
    before, nothing = server.scrape(), counted()
    answer = answered(device, data=frame(tables(60), 1))
    assert (answer["model"], answer["match"]) == ("digits/3", "exact")
    put_label(device, answer["id"], other_than(answer["label"]))
    assert review(server, answer["id"], answer["label"])["stands"]
    assert counted() == nothing
    assert gained(server, before, "dctwire_feedback_total", family="digits", tables="v3", correct="false") == 0
    assert server.scrape().value("dctwire_devices_held", family="digits", kind="quarantine") >= 1
    delete(server, device, "quarantine")
    review(server, answer["id"], other_than(answer["label"]))
    assert counted()[:1] == nothing[:1] and counted()[2] == nothing[2], "what it sent meanwhile stays uncounted"
    later = answered(device, data=frame(tables(60), 2))
    put_label(device, later["id"], later["label"])
    kept(server, later["id"])
    assert counted()[0] == nothing[0] + 1
    assert answer["id"] not in sampled()


@pytest.mark.parametrize(
    ("part", "body"), [("pin", {"counter": 1}), ("quarantine", {"counter": 1, "reason": "why not"})]
)
def test_a_device_cannot_be_held_at_what_is_below_the_floor_or_not_published(
    server: ServerHarness, tmp_path: Path, part: str, body: dict[str, Any]
) -> None:
    family = f"floored-{part}"
    for counter, floor in ((1, 1), (2, 2)):
        write_bundle(tmp_path / str(counter), family, counter, tables(25 * counter), min_counter=floor)
        server.publish(tmp_path / str(counter), falling=Falling.EVERYTHING)
    device = server.enrol(family)
    path = f"/v1/devices/{device.device_id}/{part}"
    operator = server.client("operator")
    assert_problem(operator.put(path, json=body), 409, ProblemCode.BELOW_FLOOR)
    assert_problem(operator.put(path, json=body | {"counter": 9}), 404, ProblemCode.NOT_FOUND)
    assert_problem(operator.put("/v1/devices/nobody/pin", json={"counter": 2}), 404, ProblemCode.NOT_FOUND)
    assert_problem(operator.put(path, json=body | {"counter": 0}), 400, ProblemCode.BAD_REQUEST)
    assert answered(device, data=frame(tables(25)))["model"] == f"{family}/1"
    held = put(server, device, "quarantine", reason="it runs what is below the floor")
    assert held["assigned"] is None, "nothing above the floor is known to be its"


def test_the_bundles_at_which_devices_are_held_and_those_that_they_sent_within_90_days_are_told(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        engine = engine_of(settings(tmp_path))
        migrate(engine)
        database = Database(engine, asyncio.get_running_loop(), 10)
        devices = Devices(database, lambda: 0.0, lambda: 0.0)
        assignments = Assignments(database, lambda: 0.0)
        named = []
        for family in ("digits",) * 5 + ("others",):
            code = (await devices.create_claim(family, unwitnessed)).code
            wanted = EnrolmentRequest.model_construct(claim_code=code, secret="s" * 43)
            named.append(await devices.find((await devices.enrol(wanted, "")).device_id))
        sent = [(1.0, "v1"), (86_401.0, "v2"), (9e6, "interchange"), (9e6, "vx"), (0.0, None), (9e6, "v9")]
        rows = [SeenRow(device.row_id, at, sent) for device, (at, sent) in zip(named, sent, strict=True)]
        await database.write(partial(save_seen, seen=rows, now=9e6))
        assert await database.read(partial(sent_counters, family="digits", seen_since=86_400.0)) == {2}

        for device, kind, counter in (
            (named[0], HoldKind.PIN, 7),
            (named[1], HoldKind.QUARANTINE, 8),
            (named[2], HoldKind.QUARANTINE, None),
            (named[5], HoldKind.PIN, 9),
        ):
            await assignments.hold(device, kind, lambda _, chosen=counter: chosen, unwitnessed, "why not")  # type: ignore[misc]
        now_held = partial(held_counters, family="digits")
        assert await database.read(now_held) == {7, 8}
        assert await database.read(partial(now_held, but=(named[0].row_id, HoldKind.PIN))) == {8}
        assert await database.read(partial(now_held, but=(named[0].row_id, HoldKind.QUARANTINE))) == {7, 8}
        await assignments.let_go(named[0], HoldKind.PIN, unwitnessed)
        assert await database.read(now_held) == {8}
        database.close()

    asyncio.run(scenario())


@pytest.mark.stateless
def test_what_is_assigned_while_all_assignments_are_read_holds(tmp_path: Path) -> None:
    async def scenario() -> None:
        engine = engine_of(settings(tmp_path))
        migrate(engine)
        database = LateReads(engine, asyncio.get_running_loop(), 10)
        assignments = Assignments(database, lambda: 0.0)
        for counter in (5, 6):
            database.meanwhile = partial(
                assignments.assign_family, "digits", counter, unwitnessed, require=lambda _: None
            )
            await assignments.load()
            assert assignments.told() == {"digits": {counter}}
        database.close()

    asyncio.run(scenario())


def test_holds_outlast_the_process(engine: Engine, tmp_path: Path, bundle_folders: dict[int, Path]) -> None:
    with server_in_thread(tmp_path, engine) as harness:
        for folder in bundle_folders.values():
            harness.publish(folder)
        harness.assign("digits", 1)
        device = harness.enrol("digits")
        put(harness, device, "pin", counter=2)
        before = told(device)
    with server_in_thread(tmp_path, engine) as harness:
        http = harness.client("device", headers={"authorization": f"Bearer {device.token}"})
        assert told(Device(http, device.device_id, device.token, "digits")) == before
