"""The database's one door: reads on their own thread, writes on one thread that commits them in groups.

A write is acknowledged only after its commit reached the disk (WAL, synchronous=FULL). Whatever queued up while
the last commit was on its way shares the next one, so that the price of an fsync is divided, never waited for.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError

from cloud_server.errors import StorageError
from cloud_server.schema import metadata

T = TypeVar("T")
GROUP_MAX_JOBS = 256


@dataclass(frozen=True, slots=True)
class _Write:
    job: Callable[[Connection], Any]
    done: "asyncio.Future[Any]"


@dataclass(frozen=True, slots=True)
class _Outcome:
    value: Any = None
    error: Exception | None = None


class Database:
    """One SQLite file. Jobs are functions of a connection; a write job may run twice, so it must not keep state."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        """Open the file, or make it.

        Raises:
            StorageError: it cannot be opened, or is no SQLite database.
        """
        self._loop = loop
        self._engine = _engine(path)
        try:
            metadata.create_all(self._engine)
        except DatabaseError as error:
            raise StorageError(f"{path}: {error.orig}") from error
        self._readers = ThreadPoolExecutor(1, "database-read")
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_groups, name="database-write", daemon=True)
        self._writer.start()

    async def read(self, job: Callable[[Connection], T]) -> T:
        """Run a job that changes nothing.

        Raises:
            StorageError: the database does not answer.
        """
        return await self._loop.run_in_executor(self._readers, self._read, job)

    async def write(self, job: Callable[[Connection], T]) -> T:
        """Run a job in a transaction; returns once it is durable.

        Raises:
            StorageError: the transaction could not be committed.
            Exception: whatever the job itself raised; its changes are undone, its neighbours' are not.
        """
        done: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Write(job, done))
        return await done

    def close(self) -> None:
        """Finish every queued write, then let go of the file. Call it from another thread than the loop's."""
        self._queue.put(None)
        self._writer.join()
        self._readers.shutdown()
        self._engine.dispose()

    def _read(self, job: Callable[[Connection], T]) -> T:
        with self._engine.connect() as connection:
            return _translated(job, connection)

    def _write_groups(self) -> None:
        with self._engine.connect() as connection:
            while (first := self._queue.get()) is not None:
                group, is_last = self._gather(first)
                outcomes = _commit_group(connection, group)
                self._loop.call_soon_threadsafe(_resolve, group, outcomes)
                if is_last:
                    return

    def _gather(self, first: _Write) -> tuple[list[_Write], bool]:
        group = [first]
        while len(group) < GROUP_MAX_JOBS:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                break
            if following is None:
                return group, True
            group.append(following)
        return group, False


def _commit_group(connection: Connection, group: list[_Write]) -> list[_Outcome]:
    """One commit for all; when any job fails, each gets its own commit and only the failing ones fail."""
    try:
        with connection.begin():
            return [_Outcome(write.job(connection)) for write in group]
    except Exception:  # noqa: BLE001 - a job's error is handed to the one who asked, below
        return [_commit_alone(connection, write) for write in group]


def _commit_alone(connection: Connection, write: _Write) -> _Outcome:
    try:
        with connection.begin():
            return _Outcome(_translated(write.job, connection))
    except OperationalError as error:
        return _Outcome(error=StorageError(f"the database does not take the write: {error.orig}"))
    except Exception as error:  # noqa: BLE001 - handed to the one who asked
        return _Outcome(error=error)


def _translated(job: Callable[[Connection], T], connection: Connection) -> T:
    try:
        return job(connection)
    except OperationalError as error:
        raise StorageError(f"the database does not answer: {error.orig}") from error


def _resolve(group: list[_Write], outcomes: list[_Outcome]) -> None:
    for write, outcome in zip(group, outcomes, strict=True):
        if write.done.done():
            continue
        if outcome.error is None:
            write.done.set_result(outcome.value)
        else:
            write.done.set_exception(outcome.error)


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
            connection.execute(f"PRAGMA {pragma}")

    return engine
