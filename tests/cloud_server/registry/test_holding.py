"""At which bundles devices are held: what they are held at stays listed, and whoever names none holds none below."""

import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from sqlalchemy import insert

from cloud_server.registry.keeping import IN_USE_MAX
from cloud_server.storage.rows.assignments import HoldKind, hold
from cloud_server.storage.rows.devices import SeenRow, every, save_seen
from cloud_server.storage.schema import devices
from shared.trust import parse_targets
from shared.wire import ProblemCode
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.lines import Line, Stand
from tests.cloud_server.harness.problems import assert_problem

WHY = {"reason": "why not"}


def listed(line: Line) -> set[int]:
    """The counters in the family's signed list."""
    paths = parse_targets(line.targets or b"").signed.targets
    return {int(path.removeprefix(f"{line.family}/").removesuffix(".json")) for path in paths}


def hold_others(line: Line, counters: Iterable[int]) -> None:
    """Have other devices of the family be pinned at bundles, one at each."""
    with line.harness.database() as database:
        for counter in counters:
            row = {
                "public_id": os.urandom(8).hex(),
                "family": line.family,
                "token_sha256": os.urandom(32),
                "enrolled_at": 0.0,
            }
            key = database.execute(insert(devices), row).inserted_primary_key
            assert key is not None
            assert hold(database, key[0], HoldKind.PIN, counter, None, time.time()) is not None


def sent(line: Line, device: Device, counter: int) -> None:
    """Note in the database that a device sent frames of a bundle."""
    with line.harness.database() as database:
        (row_id,) = [row.id for row in every(database) if row.public_id == device.device_id]
        save_seen(database, [SeenRow(row_id, time.time(), f"v{counter}")], time.time())


def test_what_a_device_is_pinned_at_stays_listed_however_much_newer_others_are_held_at_or_send(stand: Stand) -> None:
    line = stand.line()
    for counter in (1, 2):
        assert line.publish(counter).status_code == 201
    assert line.assign(2).status_code == 201
    assert line.hold(line.devices[0], "pin", {"counter": 1}).status_code == 200
    hold_others(line, range(101, 100 + IN_USE_MAX))
    sent(line, line.devices[1], 200)
    for counter in (3, 4, 5, 6):
        assert line.publish(counter).status_code == 201
    assert listed(line) == {1, 2, 4, 5, 6}
    assert line.fetched(1, f"{line.family}/1.json") is not None


def test_devices_are_held_at_32_bundles_and_at_another_only_where_one_is_let_go(stand: Stand) -> None:
    line = stand.line()
    pinned, free, _ = line.devices
    for counter in (1, 2):
        assert line.publish(counter).status_code == 201
    assert line.assign(2).status_code == 201
    assert line.hold(pinned, "pin", {"counter": 1}).status_code == 200
    hold_others(line, range(101, 100 + IN_USE_MAX))
    for part, body in (("pin", {"counter": 2}), ("quarantine", {"counter": 2, **WHY}), ("quarantine", WHY)):
        refused = line.hold(free, part, body)
        assert_problem(refused, 409, ProblemCode.CONFLICT)
        assert f"{line.family}/2 would be one more than the 32 bundles" in refused.json()["detail"]
    assert line.hold(free, "pin", {"counter": 1}).status_code == 200, "others are held at it"
    assert line.hold(free, "quarantine", WHY).json()["quarantine"]["counter"] == 1
    for part in ("pin", "quarantine"):
        assert line.hold(free, part, None).status_code == 200
    for _ in range(2):
        assert line.hold(pinned, "pin", {"counter": 2}).status_code == 200, "it takes the place of the device's own"
    hold_others(line, [200])
    assert line.hold(pinned, "pin", {"counter": 2}).status_code == 200, "the same again is no more than before"


def test_of_two_who_hold_at_once_where_there_is_room_for_one_bundle_one_is_refused(stand: Stand) -> None:
    line = stand.line()
    for counter in (1, 2):
        assert line.publish(counter).status_code == 201
    hold_others(line, range(101, 100 + IN_USE_MAX))
    for _ in range(4):
        with ThreadPoolExecutor(2) as pool:
            both = [
                pool.submit(line.hold, device, "pin", {"counter": counter})
                for counter, device in enumerate(line.devices[:2], start=1)
            ]
        assert sorted(one.result().status_code for one in both) == [200, 409]
        for device in line.devices[:2]:
            assert line.hold(device, "pin", None).status_code == 200


def test_who_is_put_into_quarantine_is_not_held_at_what_fell_below_the_floor(stand: Stand) -> None:
    line = stand.line()
    sender, newcomer, pinned = line.devices
    assert line.publish(1).status_code == 201
    assert line.assign(1).status_code == 201
    assert sender.post(frame(tables(50))).json()["match"] == "exact"
    assert line.hold(pinned, "pin", {"counter": 1}).status_code == 200
    assert line.publish(2, 2, raise_floor="everything").status_code == 201
    for device in line.devices:
        assert line.hold(device, "quarantine", WHY).json()["quarantine"]["counter"] is None
    assert line.assign(2).status_code == 201
    assert [seen.assigned for seen in line.seen()] == [2, 2, 1]
    assert line.hold(newcomer, "quarantine", WHY).json()["quarantine"]["counter"] == 2
    assert line.below["quarantined"] == 0


def test_a_quarantine_and_a_higher_floor_at_once_never_leave_a_device_below(stand: Stand) -> None:
    for _ in range(6):
        line = stand.line(devices=1)
        assert line.publish(1).status_code == 201
        assert line.assign(1).status_code == 201
        made = line.signed(2, 2, line.targets)
        with ThreadPoolExecutor(2) as pool:
            raising = pool.submit(partial(line.send, *made, raise_floor="family"))
            holding = pool.submit(line.hold, line.devices[0], "quarantine", WHY)
        assert holding.result().status_code == 200
        counter = holding.result().json()["quarantine"]["counter"]
        assert (raising.result().status_code, counter) in ((201, None), (409, 1))
        assert line.below["quarantined"] == 0


def test_a_device_that_sent_what_is_listed_no_more_stays_in_quarantine_at_what_it_should_run(stand: Stand) -> None:
    line = stand.line(devices=1)
    for counter in (1, 2, 3):
        assert line.publish(counter).status_code == 201
    assert line.assign(3).status_code == 201
    assert line.publish(4).status_code == 201
    sent(line, line.devices[0], 1)
    assert 1 not in listed(line)
    assert line.hold(line.devices[0], "quarantine", WHY).json()["quarantine"]["counter"] == 3
