"""A device is forgotten with its data, also when the server is killed meanwhile; its neighbour notices nothing."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.sql.schema import Table

from cloud_server.feedback.retention import STEP_ROWS, STEPS_AT_ONCE
from cloud_server.storage.database import add_what_waits
from cloud_server.storage.rollout_tables import rollout_counts, rollout_devices
from cloud_server.storage.rows import device_days as device_day_rows
from cloud_server.storage.rows import rollout_counts as rollout_rows
from cloud_server.storage.rows import rollouts
from cloud_server.storage.rows.rollout_counts import Arm, ReachedRow
from cloud_server.storage.schema import (
    assignment_events,
    assignments,
    device_days,
    device_tags,
    devices,
    heartbeats,
    labels,
    results,
    samples,
    spending,
)
from shared.wire import ProblemCode
from tests.cloud_server.harness.devices import Device, joining
from tests.cloud_server.harness.feedback import KEEP_ALL, answered, kept, put_label
from tests.cloud_server.harness.problems import assert_problem
from tests.cloud_server.harness.process import ServerProcess
from tests.cloud_server.harness.rollouts import begun
from tests.cloud_server.harness.server import ServerHarness
from tests.cloud_server.harness.waiting import wait_until

OF_ROLLOUTS = (rollout_counts, rollout_devices)
OF_DEVICES = (
    *(results, labels, samples, heartbeats, assignment_events, device_tags, spending),
    *(device_days, *OF_ROLLOUTS),
)
ANSWERS = 2 * STEPS_AT_ONCE * STEP_ROWS
"""More than are deleted at once."""
WAIT_SECONDS = 120.0


def rows_of(server: ServerHarness, device: Device) -> dict[str, int]:
    """How many rows of each table a device has."""
    with server.database() as database:
        row_id = database.execute(select(devices.c.id).where(devices.c.public_id == device.device_id)).scalar_one()

        def count(table: Table) -> int:
            counted = select(func.count()).select_from(table).where(table.c.device_id == row_id)
            return int(database.execute(counted).scalar_one())

        return {table.name: count(table) for table in OF_DEVICES}


def busy_device(server: ServerHarness, device: Device) -> Device:
    """A device that has something in every table."""
    first = answered(device)
    put_label(device, first["id"], first["label"])
    kept(server, first["id"])
    operator, path = server.client("operator"), f"/v1/devices/{device.device_id}"
    operator.post(f"{path}/tags", json={"add": ["roof"]})
    operator.put(f"{path}/name", json={"name": "north gate"})
    operator.put(f"{path}/quarantine", json={"reason": "its owner asked for it"})
    with server.database() as database:
        row_id = database.execute(select(devices.c.id).where(devices.c.public_id == device.device_id)).scalar_one()
        said: dict[str, Any] = {"device_id": row_id, "received_at": time.time()}
        beat = {"program": "1.2", "is_stale": False, "boots": "[]", "document": "{}"}
        database.execute(insert(heartbeats), said | beat)
        database.execute(insert(assignment_events), said | {"seq": 1, "event": "trial", "target": "digits/1.json"})
        database.execute(insert(spending), {"device_id": row_id, "frames": 3})
        device_day_rows.add(database, [device_day_rows.DayRow(row_id, 1, 1, 100, 300, 200)])
        add_what_waits(database)
        add_to_rollout(database, row_id)
        stored = dict(database.execute(select(results).where(results.c.device_id == row_id)).one()._mapping)
        database.execute(insert(results), [stored | {"sequence": number} for number in range(1, ANSWERS)])
    assert all(rows_of(server, device).values())
    return device


def add_to_rollout(database: Connection, row_id: int) -> None:
    """Rows of a device in a rollout of its family, which is begun unless it was."""
    rollout = (rollouts.active_of(database, "digits") or begun(database)).id
    rollout_rows.put_outcomes(database, rollout, [ReachedRow(row_id, time.time(), "pending", None, 1)])
    rollout_rows.tell_encode_seconds(database, rollout, row_id, Arm.NEW, 0.1)


def emptied(server: ServerHarness, device: Device) -> Callable[[], bool]:
    return lambda: not any(rows_of(server, device).values())


def joined(server: ServerHarness) -> tuple[Device, dict[str, str]]:
    """A device, and all that it has to enrol with again."""
    wanted = joining(server.client("operator").post("/v1/claims", json={"family": "digits"}).json()["claim_code"])
    made = server.client("device").post("/v1/devices", json=wanted).json()
    http = server.client("device", headers={"authorization": f"Bearer {made['token']}"})
    known = {key: made[key] for key in ("device_id", "family", "voucher")}
    return Device(http, made["device_id"], made["token"], "digits"), wanted | known


def version_1(server: ServerHarness) -> tuple[int, dict[str, float]]:
    """The frames and bytes of v1 in the report."""
    report = server.client("operator").get("/v1/report", params={"family": "digits"}).json()
    return report["versions"][0]["frames"], report["versions"][0]["bytes"]


def require_kept_out(server: ServerHarness, device: Device, returning: dict[str, str]) -> None:
    """Neither its token, nor its claim code, nor its voucher lets it in; operators see it no more."""
    operator, path = server.client("operator"), f"/v1/devices/{device.device_id}"
    assert_problem(operator.get(path), 404, ProblemCode.NOT_FOUND)
    assert device.device_id not in [row["device_id"] for row in operator.get("/v1/devices").json()["devices"]]
    http = server.client("device", headers={"authorization": f"Bearer {device.token}"})
    assert_problem(http.get("/v1/assignment"), 401, ProblemCode.INVALID_TOKEN)
    with_code_alone = {key: returning[key] for key in ("claim_code", "secret")}
    for way_in in (with_code_alone, returning):
        assert_problem(http.post("/v1/devices", json=way_in), 401, ProblemCode.INVALID_CLAIM)


def require_done_with(server: ServerHarness, device: Device) -> None:
    """Once nothing more can come, its row is all that is left, and not looked at again."""
    is_it = devices.c.public_id == device.device_id
    with server.database() as database:
        row = database.execute(select(devices).where(is_it)).one()
        held = select(func.count()).where(assignments.c.device_id == row.id, assignments.c.ended_at.is_(None))
        assert database.execute(held).scalar_one() == 0
        assert row.emptied_at is None, "another process may still store what it is answering"
        database.execute(update(devices).where(is_it).values(forgotten_at=row.forgotten_at - 100))

    def is_done() -> bool:
        with server.database() as database:
            left = database.execute(select(devices).where(is_it)).one()
            return left.emptied_at is not None and left.name is None

    wait_until(is_done, WAIT_SECONDS)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], ServerProcess]]:
    """Starts the server, again and again on the same folder."""
    started: list[ServerProcess] = []

    def start() -> ServerProcess:
        started.append(ServerProcess(tmp_path, **KEEP_ALL))
        return started[-1]

    yield start
    for process in started:
        if process.process.poll() is None:
            process.kill()


def test_a_forgotten_device_leaves_nothing_though_the_server_is_killed(
    start: Callable[[], ServerProcess], bundle_folders: dict[int, Path]
) -> None:
    process = start()
    server = process.harness
    server.publish(bundle_folders[1])
    server.assign("digits", 1)
    device, returning = joined(server)
    busy_device(server, device)
    neighbour = busy_device(server, server.enrol("digits"))
    of_neighbour, report = rows_of(server, neighbour), version_1(server)

    answer = server.client("operator").delete(f"/v1/devices/{device.device_id}")
    assert (answer.status_code, answer.json()) == (202, {"device_id": device.device_id})
    process.kill()
    assert rows_of(server, device)["results"] >= ANSWERS / 2, "it was killed before all was deleted"

    process = start()
    server = process.harness
    wait_until(emptied(server, device), WAIT_SECONDS)
    again = server.client("operator").delete(f"/v1/devices/{device.device_id}")
    assert again.status_code == 202, "it can be repeated"
    require_kept_out(server, device, returning)
    left = rows_of(server, neighbour)
    assert left.pop("samples") >= of_neighbour.pop("samples") and left == of_neighbour
    assert version_1(server) == report, "sums name no device"
    require_done_with(server, device)
    assert process.terminate() == 0
