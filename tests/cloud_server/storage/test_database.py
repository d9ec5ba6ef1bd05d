"""Writes are grouped, durable when acknowledged, and each job's failure is its own; nothing waits for ever."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy import Engine as Connector

from cloud_server.errors import DatabaseUrlError, StorageError
from cloud_server.open_storage import engine_of
from cloud_server.storage.database import QUEUE_MAX_JOBS, Database, add_later, insert_or_ignore
from cloud_server.storage.engine import open_engine
from cloud_server.storage.migrating import migrate
from cloud_server.storage.schema import assignments
from cloud_server.storage.sum_tables import hourly_answers
from tests.cloud_server.harness.engines import Engine, Outgrown
from tests.cloud_server.harness.server import settings

Scenario = Callable[[Database], Awaitable[None]]
Run = Callable[[Scenario], None]


def row(seq: int, family: str = "a") -> dict[str, object]:
    """A row of a small table."""
    return {"family": family, "seq": seq, "counter": 1, "assigned_at": 0.0}


def assign(seq: int) -> Callable[[Connection], int]:
    """A job that inserts one row."""

    def job(connection: Connection) -> int:
        connection.execute(insert(assignments), row(seq))
        return seq

    return job


def count(connection: Connection) -> int:
    """How many rows there are."""
    return int(connection.execute(select(func.count()).select_from(assignments)).scalar_one())


def run_on(connector: Connector, scenario: Scenario, max_seconds: float = 10) -> None:
    """Run a scenario and close the database behind it."""

    async def run() -> None:
        database = Database(connector, asyncio.get_running_loop(), max_seconds)
        try:
            await scenario(database)
        finally:
            await asyncio.to_thread(database.close)

    asyncio.run(run())


@pytest.fixture
def run(engine: Engine, tmp_path: Path) -> Run:
    """Runs scenarios, one after the other, on the same database."""

    def connect() -> Connector:
        return engine_of(settings(tmp_path, **engine.settings(tmp_path)))

    with disposed(connect()) as connector:
        migrate(connector)
    return lambda scenario: run_on(connect(), scenario)


@contextlib.contextmanager
def disposed(connector: Connector) -> Iterator[Connector]:
    """Closes its connections afterwards."""
    try:
        yield connector
    finally:
        connector.dispose()


def scenario_of_count(expected: int) -> Scenario:
    """A scenario that only counts."""

    async def scenario(database: Database) -> None:
        assert await database.read(count) == expected

    return scenario


def test_writes_return_their_values_in_order_and_are_there_for_the_next_reader(run: Run) -> None:
    async def scenario(database: Database) -> None:
        seqs = await asyncio.gather(*(database.write(assign(seq)) for seq in range(1, 500)))
        assert seqs == list(range(1, 500))
        assert await database.read(count) == 499

    run(scenario)
    run(scenario_of_count(499))


def test_sums_of_one_commit_add_up_with_those_of_earlier_ones_and_without_those_of_jobs_that_fail(run: Run) -> None:
    def adds(family: str, frames: int, error: Exception | None = None) -> Callable[[Connection], None]:
        def job(connection: Connection) -> None:
            add_later(connection, hourly_answers, (family, "v1", "exact", 7, 0, frames, 10 * frames, 0, 0))
            if error is not None:
                raise error

        return job

    def sums(connection: Connection) -> dict[str, tuple[int, int]]:
        return {row.family: (row.frames, row.scan_bytes) for row in connection.execute(select(hourly_answers))}

    async def scenario(database: Database) -> None:
        for failing in ([], [adds("a", 5000, ValueError("no"))]):
            jobs = [adds("a", 1), adds("b", 100), *failing, adds("a", 3)]
            await asyncio.gather(*(database.write(job) for job in jobs), return_exceptions=True)
        assert await database.read(sums) == {"a": (8, 80), "b": (200, 2000)}

    run(scenario)


def test_a_job_that_fails_takes_no_other_down_with_it(run: Run) -> None:
    async def scenario(database: Database) -> None:
        def fails(connection: Connection) -> None:
            assign(50)(connection)
            raise ValueError("not this one")

        jobs = [assign(1), fails, assign(2), assign(2), assign(3)]
        outcomes = await asyncio.gather(*(database.write(job) for job in jobs), return_exceptions=True)
        assert [type(outcome).__name__ for outcome in outcomes] == [
            "int",
            "ValueError",
            "int",
            "ConstraintError",
            "int",
        ]
        assert await database.read(count) == 3

    run(scenario)


def test_what_was_queued_is_written_before_the_database_closes(run: Run) -> None:
    async def scenario(database: Database) -> None:
        for seq in range(1, 300):
            writes.add(asyncio.ensure_future(database.write(assign(seq))))
        await asyncio.sleep(0)  # each write is queued now, and nobody waits for it

    writes: set[asyncio.Future[int]] = set()
    run(scenario)
    run(scenario_of_count(299))


def test_an_insert_or_ignore_leaves_what_is_there_and_counts_what_is_new(run: Run) -> None:
    def job(connection: Connection) -> list[int]:
        rows = [[row(1)], [row(1), row(2), row(3)], [row(2)]]
        return [connection.execute(insert_or_ignore(assignments), some).rowcount for some in rows]

    async def scenario(database: Database) -> None:
        assert await database.write(job) == [1, 2, 0]
        assert await database.read(count) == 3

    run(scenario)


def test_a_job_that_hangs_is_given_up_in_time_and_too_many_behind_it_are_refused(run: Run) -> None:
    go_on = threading.Event()

    async def scenario(database: Database) -> None:
        database_of_the_impatient = Database(database._engine, asyncio.get_running_loop(), max_seconds=0.2)
        with pytest.raises(StorageError, match=r"within 0\.2 s"):
            await database_of_the_impatient.write(lambda _: go_on.wait(60))
        writes = [database_of_the_impatient.write(assign(seq)) for seq in range(1, QUEUE_MAX_JOBS + 2)]
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        assert all(isinstance(outcome, StorageError) for outcome in outcomes)
        assert sum("wait already" in str(outcome) for outcome in outcomes) == 1
        go_on.set()
        await asyncio.to_thread(database_of_the_impatient._writer.close, 10)
        assert await database.read(count) == 0, "what nobody waits for any more is not written"

    run(scenario)


@pytest.fixture
def postgresql(outgrown: Outgrown, tmp_path: Path) -> Iterator[Connector]:
    """A database of the real server, migrated."""
    with disposed(engine_of(settings(tmp_path, **outgrown.settings(tmp_path)))) as connector:
        migrate(connector)
        yield connector


def end_other_connections(connection: Connection) -> None:
    """What a restart of the server does to everybody."""
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
    connection.execute(text(others + "current_database()"))


def test_connections_that_broke_while_they_were_idle_are_made_again_and_no_job_fails(postgresql: Connector) -> None:
    async def scenario(database: Database) -> None:
        await asyncio.gather(database.write(assign(1)), database.read(count), database.read(count))
        with postgresql.begin() as connection:
            end_other_connections(connection)
        assert [*await asyncio.gather(database.read(count), database.read(count))] == [1, 1]
        assert await database.write(assign(2)) == 2

    run_on(postgresql, scenario)


def test_a_connection_that_breaks_inside_a_job_runs_it_again(postgresql: Connector) -> None:
    attempts: list[int] = []

    def breaks_once(connection: Connection) -> int:
        connection.execute(insert(assignments), row(1))
        attempts.append(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
        if len(attempts) == 1:
            with postgresql.begin() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": attempts[0]})
        return count(connection)

    async def scenario(database: Database) -> None:
        assert await database.write(breaks_once) == 1
        assert len(set(attempts)) == 2

    run_on(postgresql, scenario)


BREAKS_WHILE_IT_COMMITS = """
    CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER breaks AFTER INSERT ON assignments DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION break_off();
"""


def test_a_transaction_whose_commit_broke_off_does_not_run_twice(postgresql: Connector) -> None:
    """Whether it was committed is not known, so whoever asked is told that, and nothing is done again."""
    attempts: list[int] = []

    def job(connection: Connection) -> None:
        attempts.append(assign(1)(connection))

    async def scenario(database: Database) -> None:
        with pytest.raises(StorageError, match="does not answer"):
            await database.write(job)
        assert attempts == [1]

    with postgresql.begin() as connection:
        connection.execute(text(BREAKS_WHILE_IT_COMMITS))
    run_on(postgresql, scenario)


def test_deadlocked_transactions_both_get_their_turn(postgresql: Connector) -> None:
    """Two processes that insert the same rows in opposite order; each waits for the other's first."""
    first_rows = threading.Barrier(2)

    def insert_in_order(seqs: tuple[int, int]) -> Callable[[Connection], int]:
        def job(connection: Connection) -> int:
            new = connection.execute(insert_or_ignore(assignments), row(seqs[0])).rowcount
            with contextlib.suppress(threading.BrokenBarrierError):
                first_rows.wait(5)
            first_rows.abort()
            return new + connection.execute(insert_or_ignore(assignments), row(seqs[1])).rowcount

        return job

    async def scenario(database: Database) -> None:
        other = Database(postgresql, asyncio.get_running_loop(), 60)
        both = await asyncio.gather(database.write(insert_in_order((1, 2))), other.write(insert_in_order((2, 1))))
        assert sorted(both) == [0, 2]
        other._writer.close(10)

    run_on(postgresql, scenario, max_seconds=60)


@pytest.mark.parametrize("url", ["mysql://u:swordfish@h/d", "sqlite:///x", "swordfish", "postgresql+asyncpg://u@h/d"])
def test_another_kind_of_url_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(DatabaseUrlError) as refusal:
        open_engine(url, tmp_path, 1)
    assert "swordfish" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_cameras_are_not_told_where_a_database_is_that_does_not_answer(tmp_path: Path) -> None:
    async def ask(database: Database) -> None:
        with pytest.raises(StorageError, match=r"^the database does not answer$"):
            await database.read(count)
        with pytest.raises(StorageError, match=r"^the database does not answer$"):
            await database.write(count)

    run_on(open_engine("postgresql://name:secret@127.0.0.1:1/database", tmp_path, 1), ask)
