"""The names of kept files as rows: a sweep gives back what a sample needs after all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select

from cloud_server.storage.engine import sqlite_engine
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows.results import StoredResult, store
from cloud_server.storage.rows.sample_files import doom, reserve, sweepable
from cloud_server.storage.rows.samples import NewSample, add
from cloud_server.storage.schema import devices, sample_files

NAME, LATER = "a" * 64, 10_000.0


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A transaction in a database with one device, number 1, and its answered frame 5."""
    engine = sqlite_engine(tmp_path / "rows.sqlite3", max_seconds=5)
    migrate(engine)
    with engine.begin() as connection:
        device = {"public_id": "one", "family": "digits", "token_sha256": bytes(32), "enrolled_at": 0.0}
        connection.execute(insert(devices), device)
        store(
            connection, [StoredResult(1, 5, "zero", 0.5, "digits/1", "exact", "v1", received_at_ns=7, scan_digest=None)]
        )
        yield connection
    engine.dispose()


def test_a_file_whose_sample_a_release_missed_is_needed_again_once_a_sweep_sees_it(connection: Connection) -> None:
    reserve(connection, NAME, 100, now=0.0)
    add(connection, NewSample(1, 5, "digits", "random", NAME, 0.0))  # nobody has said that it needs the file
    assert sweepable(connection, LATER, 10) == [NAME]
    assert doom(connection, [NAME], LATER) == []
    assert connection.execute(select(sample_files.c.sweep_at)).scalar_one() is None
    assert sweepable(connection, LATER, 10) == []


def test_a_file_that_no_sample_needs_is_doomed_once_it_is_time(connection: Connection) -> None:
    reserve(connection, NAME, 100, now=0.0)
    assert doom(connection, [NAME], now=1.0) == []
    assert doom(connection, [NAME], LATER) == [NAME]
    assert reserve(connection, NAME, 100, LATER) is None
