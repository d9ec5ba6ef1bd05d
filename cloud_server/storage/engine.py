"""Which database: a SQLite file by default, PostgreSQL when outgrown. Both durable, both with deadlines."""

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from cloud_server.errors import DatabaseUrlError
from cloud_server.storage.database import READERS

__all__ = ["Engine", "open_engine", "postgresql_engine", "sqlite_engine"]

CONNECTIONS = READERS + 1
FILE = "dctwire.sqlite3"


def open_engine(url: str | None, data: Path, max_seconds: float) -> Engine:
    """PostgreSQL where a URL is given, else a file in the data directory. Nothing is asked of it yet.

    Raises:
        DatabaseUrlError: this is no PostgreSQL URL.
    """
    return postgresql_engine(url, max_seconds) if url is not None else sqlite_engine(data / FILE, max_seconds)


def sqlite_engine(path: Path, max_seconds: float) -> Engine:
    """One file, made when it is not there; `max_seconds` is what a statement may wait for another process's lock."""
    engine = create_engine(f"sqlite:///{path}", hide_parameters=True)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # or Python would begin transactions itself, and none before a CREATE
        milliseconds = int(max_seconds * 1000)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={milliseconds}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A reader that turns writer fails when another process wrote meanwhile; a writer from the start waits its turn.
        is_reading = connection.get_execution_options().get("is_reading")
        connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")

    return engine


def postgresql_engine(url: str, max_seconds: float) -> Engine:
    """A database of a PostgreSQL server; `max_seconds` is what connecting or one statement may take.

    Raises:
        DatabaseUrlError: this is no PostgreSQL URL. The URL is never repeated: there is a password in it.
    """
    milliseconds = int(max_seconds * 1000)
    options = {
        "statement_timeout": milliseconds,
        "lock_timeout": milliseconds,
        "idle_in_transaction_session_timeout": 2 * milliseconds,
        "synchronous_commit": "on",
    }
    return create_engine(
        _postgresql_url(url),
        hide_parameters=True,
        isolation_level="READ COMMITTED",  # `rows.results.store` reads what was committed while its insert waited
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=max_seconds,
        connect_args={
            "application_name": "dctwire-server",
            "connect_timeout": max(2, round(max_seconds)),
            "tcp_user_timeout": milliseconds,
            "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
        },
    )


def _postgresql_url(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError:
        raise DatabaseUrlError from None
    if url.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise DatabaseUrlError
    return url.set(drivername="postgresql+psycopg")
