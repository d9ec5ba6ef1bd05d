"""Which devices nothing is to be learned from, as rows."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, update

from cloud_server.storage.engine import sqlite_engine
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows.assignments import HoldKind, end_hold, hold
from cloud_server.storage.rows.set_aside import SetAsideRow, WhySetAside, page
from cloud_server.storage.schema import devices


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A transaction in a database with devices 1 to 6 of digits, and 7 of another family."""
    engine = sqlite_engine(tmp_path / "rows.sqlite3", max_seconds=5)
    migrate(engine)
    with engine.begin() as connection:
        for number in range(1, 8):
            family = "digits" if number < 7 else "signs"
            row = {"public_id": f"d{number}", "family": family, "token_sha256": bytes([number] * 32)}
            connection.execute(insert(devices), row | {"enrolled_at": 0.0})
        yield connection
    engine.dispose()


def mark(connection: Connection, number: int, **marks: float | None) -> None:
    connection.execute(update(devices).where(devices.c.id == number).values(**marks))


def found(connection: Connection) -> dict[str, WhySetAside]:
    return {row.public_id: row.why for row in page(connection, "digits", None, 99)}


def test_those_that_are_forgotten_quarantined_or_revoked_are_named_with_the_first_reason(
    connection: Connection,
) -> None:
    assert found(connection) == {}
    mark(connection, 1, forgotten_at=5.0, revoked_at=5.0)
    mark(connection, 2, revoked_at=5.0)
    hold(connection, 3, HoldKind.QUARANTINE, None, "odd", 5.0)
    hold(connection, 4, HoldKind.QUARANTINE, None, "odd", 5.0)
    mark(connection, 4, revoked_at=5.0)
    hold(connection, 5, HoldKind.PIN, 1, None, 5.0)
    mark(connection, 7, revoked_at=5.0)
    assert found(connection) == {
        "d1": WhySetAside.FORGOTTEN,
        "d2": WhySetAside.REVOKED,
        "d3": WhySetAside.QUARANTINED,
        "d4": WhySetAside.QUARANTINED,
    }


def test_a_device_that_is_let_in_again_is_no_longer_among_them_and_a_forgotten_one_always(
    connection: Connection,
) -> None:
    mark(connection, 1, forgotten_at=5.0, revoked_at=5.0, emptied_at=9.0)
    mark(connection, 2, revoked_at=5.0)
    hold(connection, 3, HoldKind.QUARANTINE, None, "odd", 5.0)
    mark(connection, 2, revoked_at=None)
    end_hold(connection, 3, HoldKind.QUARANTINE, 6.0)
    assert found(connection) == {"d1": WhySetAside.FORGOTTEN}


def test_pages_follow_each_other(connection: Connection) -> None:
    for number in (1, 2, 5):
        mark(connection, number, revoked_at=5.0)
    first = page(connection, "digits", None, 2)
    assert first == [SetAsideRow(1, "d1", WhySetAside.REVOKED), SetAsideRow(2, "d2", WhySetAside.REVOKED)]
    assert page(connection, "digits", first[-1].id, 2) == [SetAsideRow(5, "d5", WhySetAside.REVOKED)]
