"""What devices tell, over real sockets and engines: stored once, bounded, counted, and looked at for clones."""

import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, func, select, update

from cloud_server.fleet.heartbeats import EVENTS_KEPT, HEARD_SECONDS, TOLD_AT_ONCE, Told
from cloud_server.storage.rows import heartbeats as rows
from cloud_server.storage.schema import assignment_events, assignments, devices
from cloud_server.storage.schema import heartbeats as table
from shared.wire import HEARTBEAT_MAX_BYTES, Heartbeat, ProblemCode
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.engines import Engine, Outgrown
from tests.cloud_server.harness.frames import batch_with_scans, frame, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, server_in_thread
from tests.cloud_server.harness.waiting import wait_until

LEAST: dict[str, Any] = {
    "program": "0.1.0",
    "boot": "0123456789abcdef",
    "boots": 1,
    "uptime_seconds": 1,
    "schemas": [1, 2],
    "features": [],
    "spool": {"frames": 0, "bytes": 0, "dropped": 0},
}
EVENT: dict[str, Any] = {"event": "confirmed", "target": "digits/1.json"}


def tell(device: Device, **changes: Any) -> httpx.Response:
    """Send a heartbeat."""
    return device.http.post("/v1/heartbeat", json=LEAST | changes)


def report(device: Device, seq: int, **changes: Any) -> httpx.Response:
    """Send an event."""
    return device.http.post(f"/v1/assignments/{seq}/events", json=EVENT | changes)


def seq_of(device: Device) -> int:
    """The number of the family's assignment."""
    return int(device.http.get("/v1/assignment").json()["seq"])


def row_id(harness: ServerHarness, device: Device) -> int:
    """The device's row."""
    with harness.database() as connection:
        return int(connection.execute(select(devices.c.id).where(devices.c.public_id == device.device_id)).scalar_one())


def mark(harness: ServerHarness, device: Device) -> str | None:
    """What the database says of a clone of the device."""
    with harness.database() as connection:
        query = select(devices.c.suspected_clone_why).where(devices.c.public_id == device.device_id)
        why: str | None = connection.execute(query).scalar_one()
        return why


def test_the_last_heartbeat_of_a_device_stands_and_is_answered_with_the_assignment(
    harness: ServerHarness, device: Device
) -> None:
    whole = {"active": {"target": "digits/1.json", "tables": "00112233aabbccdd"}, "program": "0.2.0"}
    for changes in ({}, whole, whole):
        answer = tell(device, **changes)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["dw-assignment"] == str(seq_of(device))
    device_row = row_id(harness, device)
    with harness.database() as connection:
        row = rows.last(connection, device_row)
    assert row is not None and row.program == "0.2.0"
    assert Heartbeat.model_validate_json(row.document) == Heartbeat.model_validate(LEAST | whole)


def test_an_event_is_stored_once_and_its_words_are_one_line(harness: ServerHarness, device: Device) -> None:
    seq = seq_of(device)
    for _ in range(3):
        assert report(device, seq, event="rolled-back", code="crashed", reason="a\0b\nc").status_code == 204
    assert report(device, seq, event="confirmed").status_code == 204
    device_row = row_id(harness, device)
    with harness.database() as connection:
        events = rows.events_of(connection, device_row)
    assert [(event.event, event.code, event.reason) for event in events] == [
        ("rolled-back", "crashed", "a b c"),
        ("confirmed", None, None),
    ]


def test_an_event_of_an_assignment_that_nobody_made_is_answered_404(harness: ServerHarness, device: Device) -> None:
    assert_problem(report(device, 2**62), 404, ProblemCode.NOT_FOUND)
    other = harness.enrol("digits")
    pin = {"family": "digits", "seq": 7, "counter": 1, "assigned_at": 0.0, "kind": "pin", "ended_at": 1.0}
    pin["device_id"] = row_id(harness, other)
    with harness.database() as connection:
        connection.execute(assignments.insert(), pin)
    assert_problem(report(device, 7), 404, ProblemCode.NOT_FOUND)
    assert report(other, 7).status_code == 204
    with harness.database() as connection:
        connection.execute(delete(assignments).where(assignments.c.seq == 7))


@pytest.mark.parametrize("seq", ["0", "-1", "x", str(2**63)])
def test_what_is_no_number_of_an_assignment_is_refused(device: Device, seq: str) -> None:
    assert_problem(device.http.post(f"/v1/assignments/{seq}/events", json=EVENT), 400, ProblemCode.BAD_REQUEST)


def test_an_event_of_another_familys_bundle_is_refused(device: Device) -> None:
    assert_problem(report(device, seq_of(device), target="letters/1.json"), 400, ProblemCode.BAD_REQUEST)


def test_only_the_newest_events_of_a_device_are_kept(harness: ServerHarness, device: Device) -> None:
    device_row = row_id(harness, device)
    with harness.database() as connection:
        for number in range(EVENTS_KEPT + 10):
            event = rows.EventRow(device_row, 1, "trial", f"digits/{number + 1}.json", None, None, float(number))
            rows.add_event(connection, event, EVENTS_KEPT)
    assert report(device, seq_of(device)).status_code == 204
    with harness.database() as connection:
        *earlier, last = rows.events_of(connection, device_row)
    assert last.event == "confirmed"
    assert [event.received_at for event in earlier] == [float(number) for number in range(11, EVENTS_KEPT + 10)]


def test_heartbeats_cannot_load_the_database(harness: ServerHarness, device: Device) -> None:
    answers = [tell(device) for _ in range(TOLD_AT_ONCE + 5)]
    assert [answer.status_code for answer in answers[:TOLD_AT_ONCE]] == [204] * TOLD_AT_ONCE
    for answer in answers[TOLD_AT_ONCE:]:
        assert_problem(answer, 429, ProblemCode.QUOTA_EXCEEDED)
        assert 1 <= int(answer.headers["retry-after"]) <= 10
    assert device.post(frame(tables(50))).status_code == 200  # frames have a quota of their own
    assert tell(harness.enrol("digits")).status_code == 204  # and so has every device


def test_a_heartbeat_without_a_token_too_long_or_not_understood_is_refused(
    harness: ServerHarness, device: Device
) -> None:
    stranger = harness.client("device")
    assert_problem(stranger.post("/v1/heartbeat", json=LEAST), 401, ProblemCode.INVALID_TOKEN)
    assert_problem(stranger.post("/v1/assignments/1/events", json=EVENT), 401, ProblemCode.INVALID_TOKEN)
    long = b" " * (HEARTBEAT_MAX_BYTES + 1)
    assert_problem(device.http.post("/v1/heartbeat", content=long), 413, ProblemCode.TOO_LARGE)
    assert_problem(tell(device, boot="no"), 400, ProblemCode.BAD_REQUEST)


def test_two_programs_that_alternate_are_marked_until_an_operator_clears_it(
    harness: ServerHarness, device: Device
) -> None:
    one, two = {"boot": "a" * 16}, {"boot": "b" * 16}
    tell(device, **one, uptime_seconds=10)
    tell(device, **two, uptime_seconds=5)
    assert mark(harness, device) is None
    tell(device, **one, uptime_seconds=21_610)
    assert mark(harness, device) == "two-programs"
    assert harness.scrape().value("dctwire_suspected_clones") >= 1
    assert device.post(frame(tables(50))).status_code == 200  # nobody is refused for a suspicion


@pytest.mark.parametrize("is_batch", [False, True])
def test_a_device_that_keeps_giving_taken_numbers_is_marked(
    harness: ServerHarness, device: Device, is_batch: bool
) -> None:
    device.http.post("/v1/frames:batch", content=batch_with_scans(50, range(4)).to_bytes())
    for number in range(4):
        assert mark(harness, device) is None, number
        if is_batch:
            device.http.post("/v1/frames:batch", content=batch_with_scans(50, range(10, 14)).to_bytes())
        else:
            assert device.post(frame(tables(50), 20), number).status_code == 409
    assert mark(harness, device) == "conflicts"


def test_the_fleet_is_counted_by_what_it_tells(harness: ServerHarness) -> None:
    def has_one(program: str) -> bool:
        return harness.scrape().value("dctwire_devices_by_program", version=program) == 1

    fleet = [harness.enrol("digits") for _ in range(4)]
    stale = {"root_version": 1, "targets_version": 1, "is_stale": True}
    tell(fleet[0], program="7.0", tuf=stale)
    tell(fleet[1], program="7.0", outcome={"seq": 1} | EVENT)
    tell(fleet[2], program="7.1")
    tell(fleet[3], program="6.9")
    now, silent = time.time(), row_id(harness, fleet[3])
    with harness.database() as connection:
        old = update(table).where(table.c.device_id == silent)
        connection.execute(old.values(received_at=now - HEARD_SECONDS - 1))
        told = Told.of(rows.told(connection, now - HEARD_SECONDS))
        before = told.programs["7.0"], told.programs["7.1"], told.programs["6.9"]
    assert before == (2, 1, 0)
    assert told.outcomes["confirmed"] >= 1 and told.stale >= 1
    harness.client("operator").put(f"/v1/devices/{fleet[0].device_id}/revocation")
    with harness.database() as connection:
        assert Told.of(rows.told(connection, now - HEARD_SECONDS)).programs["7.0"] == 1
    wait_until(lambda: has_one("7.1"), 60)


def trial_of(counter: int, family: str = "digits") -> dict[str, Any]:
    """The part of a heartbeat that tells of a bundle on trial."""
    return {"trial": {"target": f"{family}/{counter}.json", "proofs": 0, "boots": 0}}


def told_trial(harness: ServerHarness, device: Device) -> tuple[str | None, float | None]:
    """What the database says of the device's trial."""
    with harness.database() as connection:
        query = select(table.c.trial_target, table.c.trial_since).join(devices, devices.c.id == table.c.device_id)
        target, since = connection.execute(query.where(devices.c.public_id == device.device_id)).one()
        return target, since


def change(harness: ServerHarness, device: Device, **values: float) -> None:
    """Change what is stored of the device's last heartbeat."""
    device_row = row_id(harness, device)
    with harness.database() as connection:
        connection.execute(update(table).where(table.c.device_id == device_row).values(values))


def test_a_trial_lasts_since_the_first_heartbeat_that_told_of_it(harness: ServerHarness, device: Device) -> None:
    tell(device)
    assert told_trial(harness, device) == (None, None)
    before = time.time()
    tell(device, **trial_of(1))
    target, since = told_trial(harness, device)
    assert target == "digits/1.json" and since is not None and before <= since <= time.time()
    change(harness, device, trial_since=since - 1000)
    tell(device, **trial_of(1))
    assert told_trial(harness, device) == ("digits/1.json", since - 1000)
    tell(device, **trial_of(2))
    target, later = told_trial(harness, device)
    assert target == "digits/2.json" and later is not None and later >= since
    tell(device)
    assert told_trial(harness, device) == (None, None)


def test_trials_are_counted_by_family_and_those_of_silent_or_revoked_devices_apart(harness: ServerHarness) -> None:
    def trials() -> rows.TrialRow | None:
        with harness.database() as connection:
            found = rows.trials(connection, time.time() - HEARD_SECONDS)
        return next((row for row in found if row.family == "gates"), None)

    fleet = [harness.enrol("gates") for _ in range(4)]
    assert trials() is None
    for device in fleet[:3]:
        tell(device, **trial_of(1, "gates"))
    tell(fleet[3])
    change(harness, fleet[0], trial_since=1000.0)
    change(harness, fleet[1], trial_since=10.0, received_at=time.time() - HEARD_SECONDS - 1)
    harness.client("operator").put(f"/v1/devices/{fleet[2].device_id}/revocation")
    assert trials() == ("gates", 1, 1000.0, 1)

    def oldest() -> float:
        return harness.scrape().value("dctwire_oldest_trial_timestamp_seconds", family="gates")

    wait_until(lambda: oldest() == 1000, 60)
    scrape = harness.scrape()
    assert scrape.value("dctwire_devices_on_trial", family="gates", heard="lately") == 1
    assert scrape.value("dctwire_devices_on_trial", family="gates", heard="silent") == 1
    tell(fleet[0])
    wait_until(lambda: oldest() == 0, 60)


def test_another_familys_bundle_is_no_trial_here_and_stays_in_what_was_told(
    harness: ServerHarness, device: Device
) -> None:
    assert tell(device, **trial_of(1)).status_code == 204
    assert tell(device, **trial_of(1, "gates")).status_code == 204
    assert told_trial(harness, device) == (None, None)
    shown = harness.client("operator").get(f"/v1/devices/{device.device_id}").json()
    assert shown["trial"] is None and shown["heartbeat"]["trial"]["target"] == "gates/1.json"
    listed = harness.client("operator").get("/v1/devices", params={"on_trial": True}).json()["devices"]
    assert device.device_id not in [row["device_id"] for row in listed]


def test_a_restart_does_not_begin_a_trial_anew(engine: Engine, tmp_path: Path) -> None:
    with server_in_thread(tmp_path, engine) as server:
        device = server.enrol("digits")
        tell(device, **trial_of(1))
        change(server, device, trial_since=1000.0)
    with server_in_thread(tmp_path, engine) as server:
        again = Device(server.client("device"), device.device_id, device.token, device.family)
        again.http.headers["authorization"] = f"Bearer {device.token}"
        assert tell(again, **trial_of(1)).status_code == 204
        assert told_trial(server, again) == ("digits/1.json", 1000.0)


def test_another_replica_does_not_begin_a_trial_anew(outgrown: Outgrown, tmp_path: Path) -> None:
    outgrown.share(tmp_path / "two" / "data", with_data=tmp_path / "one" / "data")
    with server_in_thread(tmp_path / "one", outgrown) as one:
        shutil.copytree(tmp_path / "one" / "data" / "keys", tmp_path / "two" / "data" / "keys")
        with server_in_thread(tmp_path / "two", outgrown) as two:
            device = one.enrol("digits")
            tell(device, **trial_of(1))
            change(one, device, trial_since=1000.0)
            other = two.client("device", headers={"authorization": f"Bearer {device.token}"})
            assert other.post("/v1/heartbeat", json=LEAST | trial_of(1)).status_code == 204
            assert told_trial(one, device) == ("digits/1.json", 1000.0)


def test_events_end_with_their_lifetime(harness: ServerHarness, device: Device) -> None:
    device_row = row_id(harness, device)
    harness.believe_clock()
    with harness.database() as connection:
        for number, at in enumerate((1.0, time.time())):
            event = rows.EventRow(device_row, number + 1, "trial", "digits/1.json", None, None, at)
            rows.add_event(connection, event, EVENTS_KEPT)
    count = select(func.count()).where(assignment_events.c.device_id == device_row)

    def kept() -> int:
        with harness.database() as connection:
            return int(connection.execute(count).scalar_one())

    wait_until(lambda: kept() == 1, 30)
