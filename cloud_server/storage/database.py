"""The database's one door: reads on their own threads, writes on one thread that commits them in groups.

A write is acknowledged only after its commit reached the disk (SQLite: WAL, synchronous=FULL; PostgreSQL:
synchronous_commit). Whatever queued up while the last commit was on its way shares the next one, so that the price
of an fsync is divided, never waited for. Nothing waits for ever: queues are bounded, and who asked is answered in time.
"""

import asyncio
import contextlib
import functools
import operator
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeAlias, TypeVar

import structlog
from sqlalchemy import Connection, Dialect, Engine, Select, Table
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from cloud_server.errors import ConstraintError, NotReadyError, StorageError

T = TypeVar("T")
Transaction: TypeAlias = Connection
"""What a job works in; for modules that call statements and hold none."""
_log = structlog.get_logger()
GROUP_MAX_JOBS = 256
QUEUE_MAX_JOBS = 4096
READERS = 2
ATTEMPTS_MAX = 3
_LATER = "sums that wait for the commit"
_UNDONE = frozenset({"40001", "40P01"})
"""PostgreSQL's serialization_failure and deadlock_detected: the transaction left no trace."""


@dataclass(frozen=True, slots=True)
class _Job:
    run: Callable[[Connection], Any]
    done: "asyncio.Future[Any]"


@dataclass(frozen=True, slots=True)
class _Outcome:
    value: Any = None
    error: Exception | None = None


class Database:
    """One database of ours. Jobs are functions of a connection; one may run twice, so it must not keep state."""

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop, max_seconds: float) -> None:
        """Start the threads; `max_seconds` is what one read or write may take, waiting included."""
        self._engine = engine
        self._max_seconds = max_seconds
        self._writer = _Worker("database-write", 1, GROUP_MAX_JOBS, lambda group: _commit_group(engine, group), loop)
        reading = engine.execution_options(is_reading=True)
        if engine.dialect.name == "postgresql":
            reading = reading.execution_options(isolation_level="AUTOCOMMIT")
        self._reader = _Worker("database-read", READERS, 1, lambda group: [_run_alone(reading, group[0])], loop)

    async def read(self, job: Callable[[Connection], T]) -> T:
        """Run a job that changes nothing.

        Raises:
            StorageError: the database does not answer in time.
        """
        return await self._answer(self._reader, job)

    async def write(self, job: Callable[[Connection], T]) -> T:
        """Run a job in a transaction; returns once it is durable.

        Raises:
            StorageError: the transaction could not be committed, or it is not known in time whether it was.
            Exception: whatever the job itself raised; its changes are undone, its neighbours' are not.
        """
        return await self._answer(self._writer, job)

    def require_turning(self, max_seconds: float) -> None:
        """Whether the writer gets on: a database that does not answer cannot hold it up for long, only a fault of ours.

        Raises:
            NotReadyError: it has been at one group of writes for longer, or has ended.
        """
        self._writer.require_turning(max_seconds)

    def close(self) -> None:
        """Finish every queued write, then let go of the database. Call it from another thread than the loop's."""
        self._writer.close(self._max_seconds)
        self._reader.close(self._max_seconds)
        self._engine.dispose()

    async def _answer(self, worker: "_Worker", job: Callable[[Connection], T]) -> T:
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        worker.put(_Job(job, done))
        try:
            async with asyncio.timeout(self._max_seconds):
                return await done
        except TimeoutError as error:
            raise StorageError(f"the database does not answer within {self._max_seconds:g} s") from error


def insert_or_ignore(table: Table) -> Insert:
    """An INSERT that skips rows whose key is taken; `rowcount` says how many were new.

    Both dialects compile this one: the clause has the same words in SQLite and in PostgreSQL.
    """
    return Insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


def insert_new(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> int:
    """`insert_or_ignore` for at least one row, all with the same first columns in order; returns how many were new.

    The driver gets the rows as they are: what SQLAlchemy does for each takes longer than SQLite does. Columns behind
    those of the rows stay NULL, which takes less time than handing NULLs over.
    """
    statement = _insert_new(table, connection.dialect, len(rows[0]))
    inserted = connection.exec_driver_sql(statement, list(rows), execution_options={"preserve_rowcount": True})
    return inserted.rowcount


def add_later(connection: Connection, table: Table, row: tuple[Any, ...]) -> None:
    """Add to sums once the jobs that share this transaction are done; rows of one key become one.

    Args:
        row: columns in order: those of the primary key, then numbers, which are added to those that are there. Columns
            after these stay as they are.
    """
    keys = len(table.primary_key)
    sums = connection.info.setdefault(_LATER, {}).setdefault(table, {})
    before = sums.get(row[:keys], (0,) * (len(row) - keys))
    sums[row[:keys]] = tuple(map(operator.add, before, row[keys:]))


def add_what_waits(connection: Connection) -> None:
    """Write what `add_later` was given, in the order of the keys: so two transactions cannot wait for each other."""
    for table, sums in connection.info.pop(_LATER, {}).items():
        rows = sorted((*key, *numbers) for key, numbers in sums.items())
        connection.exec_driver_sql(_add_up(table, connection.dialect, len(rows[0])), rows)


def select_by_key(connection: Connection, table: Table, column: str, keys: Sequence[int]) -> dict[int, Any]:
    """A column of the rows that have one of these keys, the table's primary key of one column; without those NULL.

    The driver is asked as it is, as in `insert_new`, for every micro-batch waits for it.
    """
    query = _select_by_key(table, connection.dialect, column, len(keys))
    return dict(connection.exec_driver_sql(query, tuple(keys)).fetchall())


def fetch_plain(connection: Connection, query: Select[Any]) -> Sequence[tuple[Any, ...]]:
    """All rows as the driver gives them: what SQLAlchemy does for each takes longer than reading it."""
    result = connection.execute(query)
    assert result.cursor is not None
    rows = result.cursor.fetchall()
    result.close()
    return rows


@functools.lru_cache
def _add_up(table: Table, dialect: Dialect, width: int) -> str:
    key = ", ".join(column.name for column in table.primary_key)
    added = (column.name for column in table.columns[:width] if not column.primary_key)
    sums = ", ".join(f"{name} = {table.name}.{name} + excluded.{name}" for name in added)
    return f"{_insert(table, dialect, width)} ON CONFLICT ({key}) DO UPDATE SET {sums}"


@functools.lru_cache
def _insert_new(table: Table, dialect: Dialect, width: int) -> str:
    return f"{_insert(table, dialect, width)} ON CONFLICT DO NOTHING"


@functools.lru_cache
def _select_by_key(table: Table, dialect: Dialect, column: str, keys: int) -> str:
    (key,) = (one.name for one in table.primary_key)
    marks = ", ".join(_mark(dialect) for _ in range(keys))
    return f"SELECT {key}, {column} FROM {table.name} WHERE {key} IN ({marks}) AND {column} IS NOT NULL"  # noqa: S608 - our own names


def _insert(table: Table, dialect: Dialect, width: int) -> str:
    """An INSERT of the first `width` columns."""
    names = [dialect.identifier_preparer.quote(column.name) for column in table.columns[:width]]
    columns, marks = ", ".join(names), ", ".join(_mark(dialect) for _ in names)
    return f"INSERT INTO {table.name} ({columns}) VALUES ({marks})"  # noqa: S608 - our own names


def _mark(dialect: Dialect) -> str:
    return {"qmark": "?", "pyformat": "%s"}[dialect.paramstyle]


class _Worker:
    """Daemon threads that take jobs off one bounded queue, as many at a time as `group_max`."""

    def __init__(
        self,
        name: str,
        threads: int,
        group_max: int,
        run: Callable[[list[_Job]], list[_Outcome]],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._group_max = group_max
        self._run = run
        self._loop = loop
        self._queue: queue.Queue[_Job | None] = queue.Queue(QUEUE_MAX_JOBS)
        self._began: float | None = None
        self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def put(self, job: _Job) -> None:
        """Queue a job.

        Raises:
            StorageError: too many wait already.
        """
        try:
            self._queue.put_nowait(job)
        except queue.Full as error:
            raise StorageError(f"{QUEUE_MAX_JOBS} database jobs wait already") from error

    def require_turning(self, max_seconds: float) -> None:
        """Check that the threads get on, as `Database.require_turning` says."""
        began = self._began
        if began is not None and monotonic() - began > max_seconds:
            raise NotReadyError(f"{self._threads[0].name} has been at one job for {monotonic() - began:.0f} s")
        if not all(thread.is_alive() for thread in self._threads):
            raise NotReadyError(f"{self._threads[0].name} has ended")

    def close(self, max_seconds: float) -> None:
        """Finish what is queued, unless the database has fallen silent."""
        with contextlib.suppress(queue.Full):
            for _ in self._threads:
                self._queue.put(None, timeout=max_seconds)
        for thread in self._threads:
            thread.join(max_seconds)

    def _work(self) -> None:
        is_last = False
        while not is_last and (first := self._queue.get()) is not None:
            group, is_last = self._gather(first)
            wanted = [job for job in group if not job.done.cancelled()]
            self._began = monotonic()
            outcomes = self._run(wanted) if wanted else []
            self._began = None
            with contextlib.suppress(RuntimeError):  # a loop that is closed has nobody left who waits
                self._loop.call_soon_threadsafe(_resolve, wanted, outcomes)

    def _gather(self, first: _Job) -> tuple[list[_Job], bool]:
        group = [first]
        while len(group) < self._group_max:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                break
            if following is None:
                return group, True
            group.append(following)
        return group, False


def _commit_group(engine: Engine, group: Sequence[_Job]) -> list[_Outcome]:
    """One commit for all; when any job fails, each gets its own commit and only the failing ones fail."""
    try:
        return [_Outcome(value) for value in _transact(engine, group)]
    except StorageError as error:
        return [_Outcome(error=error)] * len(group)
    except Exception:  # noqa: BLE001 - a job's error is handed to the one who asked
        return [_run_alone(engine, job) for job in group]


def _run_alone(engine: Engine, job: _Job) -> _Outcome:
    try:
        return _Outcome(_transact(engine, [job])[0])
    except Exception as error:  # noqa: BLE001 - handed to the one who asked
        return _Outcome(error=error)


def _transact(engine: Engine, jobs: Sequence[_Job]) -> list[Any]:
    """Run jobs in one transaction; again when the database undid it and the jobs are not to blame.

    Raises:
        StorageError: it does not answer, or broke off while it committed.
        ConstraintError: a key was taken, or a row that is referred to is not there.
        Exception: what a job raised; nothing of the transaction is left.
    """
    for is_last in (*[False] * (ATTEMPTS_MAX - 1), True):
        is_committing = False
        try:
            with engine.begin() as connection:
                connection.info.pop(_LATER, None)  # of a transaction that was undone
                values = [job.run(connection) for job in jobs]
                add_what_waits(connection)
                is_committing = True
        except IntegrityError as error:
            raise ConstraintError from error
        except (DataError, ProgrammingError):
            raise
        except (DBAPIError, NoConnectionError) as error:
            if is_last or not _left_no_trace(error, is_committing=is_committing):
                cause = error.orig if isinstance(error, DBAPIError) else error
                _log.warning("database-silent", cause=str(cause))  # it names hosts of ours: nothing for a camera
                raise StorageError("the database does not answer") from error
        else:
            return values
    raise AssertionError("the last attempt returns or raises")


def _left_no_trace(error: Exception, *, is_committing: bool) -> bool:
    """Whether a new attempt may help, and cannot do anything twice."""
    if not isinstance(error, DBAPIError):
        return False
    was_undone = getattr(error.orig, "sqlstate", None) in _UNDONE
    return was_undone or (error.connection_invalidated and not is_committing)


def _resolve(jobs: Sequence[_Job], outcomes: Sequence[_Outcome]) -> None:
    for job, outcome in zip(jobs, outcomes, strict=True):
        if job.done.done():
            continue
        if outcome.error is None:
            job.done.set_result(outcome.value)
        else:
            job.done.set_exception(outcome.error)
