"""Bytes that answered requests cost, on their way into the database's hourly sums."""

import asyncio
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from cloud_server.errors import StorageError
from cloud_server.feedback.byte_sums import ByteSums
from cloud_server.metrics import Payload
from cloud_server.open_storage import engine_of
from cloud_server.storage.database import Database
from cloud_server.storage.migrating import migrate
from cloud_server.storage.sum_tables import hourly_bytes
from tests.cloud_server.harness.server import settings

PAYLOAD = Payload(1, "digits", "v1", scan_bytes=100, tables_bytes=0, markers_bytes=20, frames=1)


def test_who_saves_waits_for_what_is_being_written_already(tmp_path: Path) -> None:
    """A report reads right after it has saved."""
    (tmp_path / "data").mkdir()
    engine = engine_of(settings(tmp_path / "data"))
    migrate(engine)

    async def scenario() -> None:
        database, gate = Database(engine, asyncio.get_running_loop(), 30), threading.Event()
        byte_sums = ByteSums(database, 7, lambda: 3600.0)
        busy = asyncio.ensure_future(database.write(lambda _: gate.wait(30)))
        byte_sums.add(PAYLOAD, received_bytes=420, sent_bytes=200)
        first, second = asyncio.ensure_future(byte_sums.save()), asyncio.ensure_future(byte_sums.save())
        await database.read(lambda _: None)  # whoever waits for nothing has come to an end by then
        assert not first.done()
        assert not second.done()
        gate.set()
        await second
        rows = await database.read(lambda connection: connection.execute(select(hourly_bytes)).all())
        assert len(rows) == 1
        await asyncio.gather(busy, first)
        await asyncio.to_thread(database.close)

    asyncio.run(scenario())


def test_bytes_that_the_database_did_not_take_are_written_once_when_it_does(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    engine = engine_of(settings(tmp_path / "data"))

    async def scenario() -> None:
        database = Database(engine, asyncio.get_running_loop(), 30)
        byte_sums = ByteSums(database, 7, lambda: 3600.0)
        byte_sums.add(PAYLOAD, received_bytes=420, sent_bytes=200)
        with pytest.raises(StorageError):
            await byte_sums.save()  # there are no tables yet
        byte_sums.add(PAYLOAD, received_bytes=420, sent_bytes=200)
        migrate(engine)
        for _ in range(2):
            await byte_sums.save()
        rows = await database.read(lambda connection: connection.execute(select(hourly_bytes)).all())
        assert [tuple(row) for row in rows] == [("digits", "v1", 1, 7, 2, 200, 0, 40, 600, 400)]
        await asyncio.to_thread(database.close)

    asyncio.run(scenario())
