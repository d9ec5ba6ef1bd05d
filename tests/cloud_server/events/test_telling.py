"""Events are written in the order in which they were told, once each, and with the change that they tell of."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from cloud_server.errors import NotFoundError
from cloud_server.events.kinds import EventKind
from cloud_server.events.telling import WAITING_MAX, Events
from cloud_server.open_storage import engine_of
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows import events as rows
from cloud_server.storage.rows.events import EventRow
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.server import settings

FAILED = EventKind.CLASSIFIER_FAILED


def written(
    engine: Engine, folder: Path, does: Callable[[Events, Database], Coroutine[Any, Any, None]]
) -> list[EventRow]:
    """The events that are there, oldest first, once `does` is done and what was told is saved."""

    async def go() -> list[EventRow]:
        connector = engine_of(settings(folder, **engine.settings(folder)))
        migrate(connector)
        database = Database(connector, asyncio.get_running_loop(), 10.0)
        events = Events(database, lambda: 1000.5)
        await does(events, database)
        await events.save()
        found = await database.read(lambda transaction: rows.page(transaction, None, 2 * WAITING_MAX))
        await asyncio.to_thread(database.close)
        return list(found)[::-1]

    return asyncio.run(go())


def test_what_is_told_is_written_in_order(engine: Engine, tmp_path: Path) -> None:
    async def tell(events: Events, _database: Database) -> None:
        for name in ("digits/1", "digits/2"):
            events.tell(FAILED, name, {"error": "no"})

    assert written(engine, tmp_path, tell) == [
        EventRow(1, 1_000_500, "classifier.failed", "digits/1", '{"error":"no"}'),
        EventRow(2, 1_000_500, "classifier.failed", "digits/2", '{"error":"no"}'),
    ]


def test_what_two_processes_tell_of_one_thing_is_written_once(engine: Engine, tmp_path: Path) -> None:
    async def tell(events: Events, database: Database) -> None:
        other = Events(database, lambda: 2000.0)
        events.tell(FAILED, "digits/1", {}, once="digits/1 hour")
        events.tell(EventKind.CLASSIFIER_STOPPED, "digits/1", {}, once="digits/1 hour")
        await events.save()
        other.tell(FAILED, "digits/1", {}, once="digits/1 hour")
        other.tell(FAILED, "digits/1", {}, once="digits/1 later")
        await other.save()

    assert [(row.seq, row.kind, row.at_ms) for row in written(engine, tmp_path, tell)] == [
        (1, "classifier.failed", 1_000_500),
        (2, "classifier.stopped", 1_000_500),
        (3, "classifier.failed", 2_000_000),
    ]


def test_a_change_and_its_event_are_there_together_or_not_at_all(engine: Engine, tmp_path: Path) -> None:
    def undone(transaction: Transaction, events: Events) -> None:
        events.witness(EventKind.CLONE_SUSPECTED, "dev1")(transaction, None, {"why": "conflicts"})
        raise NotFoundError("and then something fails")

    async def tell(events: Events, database: Database) -> None:
        with pytest.raises(NotFoundError):
            await database.write(lambda transaction: undone(transaction, events))
        witness = events.witness(EventKind.CLONE_SUSPECTED, "dev2")
        await database.write(lambda transaction: witness(transaction, {"why": "a"}, {"why": "a"}))
        await database.write(lambda transaction: witness(transaction, None, {"why": "conflicts"}))

    assert [(row.seq, row.subject, row.facts) for row in written(engine, tmp_path, tell)] == [
        (1, "dev2", '{"why":"conflicts"}')
    ]


def test_only_so_many_wait_to_be_written(tmp_path: Path) -> None:
    events = Events(None, lambda: 0.0)  # type: ignore[arg-type]
    for number in range(WAITING_MAX + 5):
        events.tell(FAILED, str(number), {})
    assert len(events._waiting) == WAITING_MAX
