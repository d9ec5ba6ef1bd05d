"""Answers as rows: the first one stays, and of one that expires in between nothing is said."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from cloud_server.storage.engine import sqlite_engine
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows.results import StoredResult, find, received_before, remove, store
from cloud_server.storage.rows.sample_files import reserve
from cloud_server.storage.rows.samples import NewSample, add
from cloud_server.storage.rows.samples import remove as remove_samples
from cloud_server.storage.schema import devices


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A transaction in a database with one device, number 1."""
    engine = sqlite_engine(tmp_path / "results.sqlite3", max_seconds=5)
    migrate(engine)
    with engine.begin() as connection:
        device = {"public_id": "one", "family": "digits", "token_sha256": bytes(32), "enrolled_at": 0.0}
        connection.execute(insert(devices), device)
        yield connection
    engine.dispose()


def answer(sequence: int, label: str) -> StoredResult:
    return StoredResult(1, sequence, label, 0.5, "digits/1", "exact", "v1", received_at_ns=7, scan_digest=None)


def test_the_first_answer_stays(connection: Connection) -> None:
    assert store(connection, [answer(1, "zero"), answer(2, "one")]) == [answer(1, "zero"), answer(2, "one")]
    assert store(connection, [answer(2, "two"), answer(3, "three")]) == [answer(2, "one"), answer(3, "three")]


def test_a_companion_is_told_from_a_frame_by_its_row(connection: Connection) -> None:
    companion = answer(2, "one")._replace(kind="probe", companion_of=1)
    assert store(connection, [answer(1, "zero"), companion]) == [answer(1, "zero"), companion]
    assert find(connection, [(1, 1), (1, 2)]) == {(1, 1): answer(1, "zero"), (1, 2): companion}


def test_nothing_is_said_of_an_answer_that_expires_between_insert_and_look_up(connection: Connection) -> None:
    connection.exec_driver_sql(
        "CREATE TRIGGER expired BEFORE INSERT ON results WHEN NEW.sequence = 2 BEGIN SELECT RAISE(IGNORE); END"
    )
    assert store(connection, [answer(1, "zero"), answer(2, "one")]) == [answer(1, "zero"), None]


def test_an_answer_stays_as_long_as_a_sample_needs_it_or_a_detail_its_label(connection: Connection) -> None:
    detail = answer(2, "one")._replace(kind="detail", companion_of=1)
    store(connection, [answer(1, "zero"), detail, answer(3, "two"), answer(4, "two")])
    for sequence, reason in ((2, "detail"), (3, "random")):
        reserve(connection, f"{sequence}", 100, now=0.0)
        add(connection, NewSample(1, sequence, "digits", reason, f"{sequence}", 0.0))

    assert received_before(connection, 8, 10) == [(1, 4)]
    assert remove(connection, [(1, number) for number in range(1, 5)]) == 1

    remove_samples(connection, [1, 2], now=0.0)
    assert sorted(received_before(connection, 8, 10)) == [(1, 1), (1, 2), (1, 3)]
