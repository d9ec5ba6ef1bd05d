"""What devices sent on a day, as rows: added up, and never for a device that is gone."""

import pytest
from sqlalchemy import Connection, insert, select

from cloud_server.storage.database import add_what_waits
from cloud_server.storage.rows.device_days import DayRow, add, before, of_device, remove
from cloud_server.storage.schema import device_days, devices


@pytest.fixture
def database(connection: Connection) -> Connection:
    """The database with devices 1 and 2, and 3 which is forgotten."""
    known = [
        {"id": number, "public_id": f"dev{number}", "family": "digits", "token_sha256": bytes([number]) * 32}
        | {"enrolled_at": 0.0, "forgotten_at": forgotten_at}
        for number, forgotten_at in ((1, None), (2, None), (3, 5.0))
    ]
    connection.execute(insert(devices), known)
    return connection


def add_now(database: Connection, *rows: DayRow) -> None:
    """Add rows, as at the end of a transaction."""
    add(database, rows)
    add_what_waits(database)


def test_what_is_sent_on_a_day_adds_up(database: Connection) -> None:
    add_now(database, DayRow(1, 20, 1, 100, 300, 200), DayRow(1, 20, 2, 50, 30, 20), DayRow(2, 20, 7, 1, 1, 1))
    add_now(database, DayRow(1, 20, 1, 1, 1, 1), DayRow(1, 19, 4, 4, 4, 4), DayRow(1, 18, 9, 9, 9, 9))
    assert of_device(database, 1, first_day=19) == [DayRow(1, 19, 4, 4, 4, 4), DayRow(1, 20, 4, 151, 331, 221)]


def test_a_device_that_was_forgotten_or_deleted_gets_no_rows_and_keeps_no_others_out(database: Connection) -> None:
    add_now(database, DayRow(3, 20, 1, 1, 1, 1), DayRow(4, 20, 1, 1, 1, 1), DayRow(2, 20, 1, 1, 1, 1))
    assert database.execute(select(device_days.c.device_id)).scalars().all() == [2]


def test_old_days_are_found_oldest_first_and_removed(database: Connection) -> None:
    add_now(database, *(DayRow(device, day, 1, 1, 1, 1) for device in (1, 2) for day in (20, 21, 22)))
    old = before(database, 22, limit=3)
    assert len(old) == 3
    assert [day for _, day in old] == [20, 20, 21]
    assert remove(database, old) == 3
    assert sorted(database.execute(select(device_days.c.day)).scalars()) == [21, 22, 22]
