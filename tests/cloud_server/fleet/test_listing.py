"""The devices as operators see them: pages, filters, counts, names, tags, and one device in full."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Devices
from cloud_server.fleet.listing import PAGE_MAX, Listing
from cloud_server.open_storage import engine_of
from cloud_server.storage.database import Database
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows.fleet import DeviceQuery
from cloud_server.storage.schema import assignment_events, devices, heartbeats
from shared.wire import ProblemCode
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.feedback import answered
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.server import ServerHarness, settings


def listed(server: ServerHarness, **asked: Any) -> list[str]:
    """The names of the devices that are listed."""
    answer = server.client("operator").get("/v1/devices", params=asked)
    assert answer.status_code == 200, answer.text
    return [row["device_id"] for row in answer.json()["devices"]]


def of(device: Device, part: str) -> str:
    return f"/v1/devices/{device.device_id}/{part}"


def test_pages_have_every_device_once(server: ServerHarness) -> None:
    enrolled = [server.enrol("digits").device_id for _ in range(7)]
    operator = server.client("operator")
    found: list[str] = []
    after: dict[str, int] = {}
    while True:
        page = operator.get("/v1/devices", params={"limit": 3} | after).json()
        assert len(page["devices"]) <= 3
        found += [row["device_id"] for row in page["devices"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert found == enrolled
    assert_problem(operator.get("/v1/devices", params={"limit": PAGE_MAX + 1}), 400, ProblemCode.BAD_REQUEST)


def four_devices(server: ServerHarness) -> list[Device]:
    """Three of digits and one of others, each with something that the others do not have."""
    operator = server.client("operator")
    first, second, third = (server.enrol("digits") for _ in range(3))
    other = server.enrol("others")
    answered(second, data=frame(tables(25)))
    operator.put(of(first, "name"), json={"name": "North_Gate 1"})
    operator.put(of(second, "name"), json={"name": "northern"})
    operator.post(of(first, "tags"), json={"add": ["site=north", "roof"]})
    operator.post(of(second, "tags"), json={"add": ["site=south"]})
    operator.put(of(third, "revocation"))
    operator.put(of(first, "pin"), json={"counter": 2})
    operator.put(of(second, "quarantine"), json={"reason": "dirty"})
    with server.database() as database:
        is_other = devices.c.public_id == other.device_id
        database.execute(devices.update().where(is_other).values(suspected_clone_at=1.0))
        row_id = database.execute(devices.select().where(is_other)).one().id
        said = {"received_at": 5.0, "program": "1.2", "outcome": "rolled-back", "is_stale": False, "boots": "[]"}
        said |= {"trial_target": "others/2.json", "trial_since": 3.0}
        database.execute(insert(heartbeats), {"device_id": row_id, "document": '{"boots": 3}', **said})
    return [first, second, third, other]


def test_each_filter_narrows_the_list_to_what_it_says(server: ServerHarness) -> None:
    every = first, second, third, other = four_devices(server)

    def are(*wanted: Device, **asked: Any) -> None:
        assert listed(server, **asked) == [device.device_id for device in every if device in wanted], asked

    are(*every)
    are(other, family="others")
    are(family="nobodys")
    are(first, name="north_")
    are(first, second, name="NORTH")
    are(first, tag="roof")
    are(first, second, tag="site")
    are(second, tag="site=south")
    are(tag="sit")
    are(second, tables="v2")
    are(second, seen_after=1)
    are(first, third, other, seen_before=1)
    are(third, revoked=True)
    are(first, second, other, revoked=False)
    are(first, pinned=True)
    are(second, quarantined=True)
    are(first, third, other, quarantined=False)
    are(other, suspected_clone=True)
    are(other, outcome="rolled-back")
    are(other, on_trial=True)
    are(first, second, third, on_trial=False)
    are(first, tag="site", pinned=True, family="digits")


def test_devices_are_counted_by_family_tables_and_marks(server: ServerHarness) -> None:
    *_, other = four_devices(server)
    operator = server.client("operator")
    assert operator.get("/v1/fleet").json()["families"] == [
        {
            "family": "digits",
            "devices": 3,
            "by_tables": {"none": 2, "v2": 1},
            "pinned": 1,
            "quarantined": 1,
            "revoked": 1,
            "suspected_clones": 0,
            "on_trial": 0,
            "silent_on_trial": 0,
            "oldest_trial_since": None,
            "held_below_floor": 0,
        },
        {
            "family": "others",
            "devices": 1,
            "by_tables": {"none": 1},
            "pinned": 0,
            "quarantined": 0,
            "revoked": 0,
            "suspected_clones": 1,
            "on_trial": 0,
            "silent_on_trial": 1,
            "oldest_trial_since": None,
            "held_below_floor": 0,
        },
    ]
    assert operator.get(f"/v1/devices/{other.device_id}").json()["trial"] == {
        "target": "others/2.json",
        "since": 3.0,
        "is_silent": True,
    }
    row = operator.delete(of(other, "clone-mark")).json()
    assert row["suspected_clone"] is None and listed(server, suspected_clone=True) == []


@pytest.mark.stateless
def test_a_device_is_shown_in_full(server: ServerHarness) -> None:
    device = server.enrol("digits")
    path = f"/v1/devices/{device.device_id}"
    operator = server.client("operator")
    empty = operator.get(path).json()
    assert (empty["heartbeat"], empty["heartbeat_at"], empty["events"], empty["tags"]) == (None, None, [], [])
    with server.database() as database:
        row_id = database.execute(devices.select().where(devices.c.public_id == device.device_id)).one().id
        said = {"received_at": 5.0, "program": "1.2", "outcome": "confirmed", "is_stale": False, "boots": "[]"}
        database.execute(insert(heartbeats), {"device_id": row_id, "document": '{"boots": 3}', **said})
        for number in range(60):
            event = {"seq": 7 + number, "event": "trial", "target": "digits/1.json", "received_at": float(number)}
            database.execute(insert(assignment_events), {"device_id": row_id, **event})
    full = operator.get(path).json()
    assert (full["program"], full["outcome"], full["heartbeat"], full["heartbeat_at"]) == (
        "1.2",
        "confirmed",
        {"boots": 3},
        5.0,
    )
    assert [event["seq"] for event in full["events"]] == list(range(66, 16, -1))
    assert listed(server) == [device.device_id]


@pytest.mark.stateless
def test_names_and_tags_have_bounds_and_changes_can_be_repeated(server: ServerHarness) -> None:
    device, operator = server.enrol("digits"), server.client("operator")
    for name in ("", "x" * 65, "line\nbreak", "\x00"):
        assert_problem(operator.put(of(device, "name"), json={"name": name}), 400, ProblemCode.BAD_REQUEST)
    for tag in ("", "x" * 65, "two words", "=x", "x=", "a=b=c", "ä", "x\n"):
        assert_problem(operator.post(of(device, "tags"), json={"add": [tag]}), 400, ProblemCode.BAD_REQUEST)
    assert_problem(
        operator.post(of(device, "tags"), json={"add": [f"t{n}" for n in range(17)]}), 400, ProblemCode.BAD_REQUEST
    )
    for _ in range(2):
        row = operator.put(of(device, "name"), json={"name": "Tür 3"}).json()
        row = operator.post(of(device, "tags"), json={"add": ["site=north", "roof"], "remove": ["x"]}).json()
        assert (row["name"], row["tags"]) == ("Tür 3", ["roof", "site=north"])
    assert operator.post(of(device, "tags"), json={"remove": ["site"]}).json()["tags"] == ["roof"]
    assert operator.put(of(device, "name"), json={"name": None}).json()["name"] is None
    for ask, path, body in (
        (operator.put, "name", {"name": "x"}),
        (operator.post, "tags", {"add": ["x"]}),
    ):
        assert_problem(ask(f"/v1/devices/nobody/{path}", json=body), 404, ProblemCode.NOT_FOUND)
    assert_problem(operator.get("/v1/devices/nobody"), 404, ProblemCode.NOT_FOUND)


def test_ten_thousand_devices_come_in_pages_of_a_bounded_size(tmp_path: Path) -> None:
    async def scenario() -> None:
        engine = engine_of(settings(tmp_path))
        migrate(engine)
        rows = [
            {"public_id": f"d{n}", "family": "digits", "token_sha256": b"%032d" % n, "enrolled_at": 0.0}
            for n in range(10_000)
        ]
        with engine.begin() as connection:
            connection.execute(insert(devices), rows)
        database = Database(engine, asyncio.get_running_loop(), 30)
        known, assignments = Devices(database, lambda: 0.0, lambda: 0.0), Assignments(database, lambda: 0.0)
        listing = Listing(database, known, assignments, lambda: 0.0)
        after: int | None = 0
        found: list[str] = []
        while after is not None:
            page, after = await listing.page(DeviceQuery(after=after), PAGE_MAX)
            assert len(page) <= PAGE_MAX
            found += [device.row.public_id for device in page]
        assert found == [row["public_id"] for row in rows]
        assert [(row.devices, row.tables) for row in await listing.counts()] == [(10_000, None)]
        database.close()

    asyncio.run(scenario())
