"""What devices sent on a day: noted as the socket saw it, lost by no outage, and counted for each device alone."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from cloud_server.errors import StorageError
from cloud_server.fleet.traffic import DAY_SECONDS, DEVICES_AT_ONCE, Traffic
from cloud_server.metrics import Payload
from cloud_server.open_storage import engine_of
from cloud_server.storage.database import Database
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows.device_days import DayRow
from cloud_server.storage.schema import device_days, devices
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.feedback import answered
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.server import server_in_thread, settings

NOW = 20_000.5 * DAY_SECONDS


def payload(device_id: int, frames: int = 1) -> Payload:
    """A body of 120 bytes."""
    return Payload(device_id, "digits", "v1", scan_bytes=100, tables_bytes=0, markers_bytes=20, frames=frames)


def with_devices(tmp_path: Path, count: int, scenario: Callable[[Database], Awaitable[None]]) -> None:
    """Run a scenario on a new database with so many devices, numbered from 1."""
    (tmp_path / "data").mkdir()
    engine = engine_of(settings(tmp_path / "data"))

    async def run() -> None:
        database = Database(engine, asyncio.get_running_loop(), 30)
        await scenario(database)
        await asyncio.to_thread(database.close)

    migrate(engine)
    rows = [
        {"id": number, "public_id": f"dev{number}", "family": "digits", "token_sha256": number.to_bytes(32)}
        | {"enrolled_at": 0.0}
        for number in range(1, count + 1)
    ]
    with engine.begin() as connection:
        connection.execute(insert(devices), rows)
    asyncio.run(run())


def test_the_days_of_a_device_are_its_own_and_end_today(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        clock = [NOW - 2 * DAY_SECONDS]
        traffic = Traffic(database, lambda: clock[0])
        traffic.add(payload(1), received_bytes=420, sent_bytes=200)
        clock[0] = NOW
        traffic.add(payload(1, frames=3), received_bytes=420, sent_bytes=200)
        traffic.add(payload(1, frames=0), received_bytes=500, sent_bytes=100)  # a companion: no frame, but bytes
        traffic.add(payload(2), received_bytes=120, sent_bytes=10)
        today, earlier = DayRow(1, 20_000, 3, 240, 680, 300), DayRow(1, 19_998, 1, 120, 300, 200)
        assert await traffic.of_device(1, days=2) == [today]
        assert await traffic.of_device(1, days=3) == [earlier, today]

    with_devices(tmp_path, 2, scenario)


def test_what_the_database_did_not_take_is_written_once_when_it_does(tmp_path: Path) -> None:
    count = 2 * DEVICES_AT_ONCE + 1

    async def scenario(database: Database) -> None:
        traffic = Traffic(database, lambda: NOW)
        for number in range(1, count + 1):
            traffic.add(payload(number), received_bytes=420, sent_bytes=200)
        ddl = (
            f"CREATE TRIGGER fault BEFORE INSERT ON device_days WHEN NEW.device_id > {DEVICES_AT_ONCE}"
            " BEGIN SELECT json('{'); END"
        )
        await database.write(lambda connection: connection.exec_driver_sql(ddl).rowcount)
        with pytest.raises(StorageError):
            await traffic.save()
        await database.write(lambda connection: connection.exec_driver_sql("DROP TRIGGER fault").rowcount)
        for _ in range(2):
            await traffic.save()
        sums = await database.read(lambda connection: connection.execute(select(device_days.c.frames)).scalars().all())
        assert sums == [1] * count

    with_devices(tmp_path, count, scenario)


def test_an_upload_is_noted_for_its_device_in_quarantine_or_not(
    engine: Engine, tmp_path: Path, bundle_folders: dict[int, Path]
) -> None:
    with server_in_thread(tmp_path, engine) as server:
        server.publish(bundle_folders[1])
        server.assign("digits", 1)
        device = server.enrol("digits")
        answered(device)
        quarantine = {"reason": "it was stolen"}
        server.client("operator").put(f"/v1/devices/{device.device_id}/quarantine", json=quarantine)
        answered(device)
    with server.database() as database:  # a server that stops writes what it has noted
        rows = database.execute(select(device_days)).all()
    assert [row.frames for row in rows] == [2]
    assert rows[0].payload_bytes == 2 * len(frame(tables(50)))
    assert rows[0].http_bytes > 0
    assert rows[0].answer_bytes > 0
