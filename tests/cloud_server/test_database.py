"""Writes are grouped, durable when acknowledged, and each job's failure is its own."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from sqlalchemy import Connection, func, insert, select

from cloud_server.database import Database
from cloud_server.schema import assignments


def assign(seq: int) -> Callable[[Connection], int]:
    """A job that inserts one row."""

    def job(connection: Connection) -> int:
        connection.execute(insert(assignments), {"family": "a", "seq": seq, "counter": 1, "assigned_at": 0.0})
        return seq

    return job


def count(connection: Connection) -> int:
    """How many rows there are."""
    return int(connection.execute(select(func.count()).select_from(assignments)).scalar_one())


def with_database(path: Path, scenario: Callable[[Database], Awaitable[None]]) -> None:
    """Run a scenario and close the database behind it."""

    async def run() -> None:
        database = Database(path, asyncio.get_running_loop())
        try:
            await scenario(database)
        finally:
            await asyncio.to_thread(database.close)

    asyncio.run(run())


def test_writes_return_their_values_in_order_and_are_there_for_the_next_reader(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        seqs = await asyncio.gather(*(database.write(assign(seq)) for seq in range(1, 500)))
        assert seqs == list(range(1, 500))
        assert await database.read(count) == 499

    with_database(tmp_path / "db", scenario)
    with_database(tmp_path / "db", scenario_of_count(499))


def scenario_of_count(expected: int) -> Callable[[Database], Awaitable[None]]:
    """A scenario that only counts."""

    async def scenario(database: Database) -> None:
        assert await database.read(count) == expected

    return scenario


def test_a_job_that_fails_takes_no_other_down_with_it(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        def fails(connection: Connection) -> None:
            assign(50)(connection)
            raise ValueError("not this one")

        jobs = [assign(1), fails, assign(2), assign(2), assign(3)]
        outcomes = await asyncio.gather(*(database.write(job) for job in jobs), return_exceptions=True)
        assert [type(outcome).__name__ for outcome in outcomes] == ["int", "ValueError", "int", "IntegrityError", "int"]
        assert await database.read(count) == 3

    with_database(tmp_path / "db", scenario)


def test_what_was_queued_is_written_before_the_database_closes(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        for seq in range(1, 300):
            writes.add(asyncio.ensure_future(database.write(assign(seq))))
        await asyncio.sleep(0)  # each write is queued now, and nobody waits for it

    writes: set[asyncio.Future[int]] = set()
    with_database(tmp_path / "db", scenario)
    with_database(tmp_path / "db", scenario_of_count(299))
