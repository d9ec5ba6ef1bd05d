"""Devices that are not heard, and devices that run something else than they are told to: counted, held ones aside."""

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from cloud_server.fleet.contact import DAY_SECONDS, WEEK_SECONDS, devices_of, silent_of, skewed_of
from cloud_server.storage.rows.fleet import ContactRow, contact
from cloud_server.storage.schema import assignments, devices

NOW = 1_800_000_000.0
HOUR = 3600.0


def enrol(connection: Connection, number: int, *, seen_at: float | None, tables: str | None, **marks: Any) -> int:
    """A device of family digits that joined a month ago; its row."""
    row = {
        "id": number,
        "public_id": f"{number:016}",
        "family": "digits",
        "token_sha256": number.to_bytes(32, "big"),
        "enrolled_at": NOW - 30 * DAY_SECONDS,
        "last_seen_at": seen_at,
        "last_tables": tables,
    }
    connection.execute(insert(devices), row | marks)
    return number


def hold(connection: Connection, device: int, seq: int, ended_at: float | None) -> None:
    """Pin a device."""
    row = {"family": "digits", "seq": seq, "counter": 1, "assigned_at": NOW, "device_id": device, "kind": "pin"}
    connection.execute(insert(assignments), row | {"ended_at": ended_at})


def counted(connection: Connection) -> dict[str | None, ContactRow]:
    """What the database counts, by tables."""
    found = contact(connection, day_ago=NOW - DAY_SECONDS, week_ago=NOW - WEEK_SECONDS)
    return {row.tables: row for row in found}


def test_devices_are_counted_by_tables_and_by_how_long_they_are_silent(connection: Connection) -> None:
    enrol(connection, 1, seen_at=NOW - HOUR, tables="v2")
    enrol(connection, 2, seen_at=NOW - 25 * HOUR, tables="v2")
    enrol(connection, 3, seen_at=NOW - 8 * DAY_SECONDS, tables="v2")
    enrol(connection, 4, seen_at=None, tables=None)
    assert counted(connection) == {
        "v2": ContactRow("digits", "v2", devices=3, silent_day=2, silent_week=1, at_work=1),
        None: ContactRow("digits", None, devices=1, silent_day=1, silent_week=1, at_work=0),
    }


def test_a_device_that_joined_a_moment_ago_is_not_silent_though_it_sent_nothing(connection: Connection) -> None:
    enrol(connection, 1, seen_at=None, tables=None, enrolled_at=NOW - HOUR)
    assert counted(connection)[None].silent_day == 0


def test_revoked_and_forgotten_devices_do_not_count(connection: Connection) -> None:
    enrol(connection, 1, seen_at=NOW, tables="v1", revoked_at=NOW)
    enrol(connection, 2, seen_at=NOW, tables="v1", forgotten_at=NOW)
    assert counted(connection) == {}


def test_a_held_device_is_not_expected_to_do_as_its_family_until_it_is_let_go(connection: Connection) -> None:
    held = enrol(connection, 1, seen_at=NOW, tables="v1")
    let_go = enrol(connection, 2, seen_at=NOW, tables="v1")
    hold(connection, held, 1, ended_at=None)
    hold(connection, let_go, 2, ended_at=NOW)
    assert counted(connection)["v1"].at_work == 1


def test_devices_and_the_silent_among_them_are_summed_up_over_tables() -> None:
    rows = [
        ContactRow("digits", "v1", 8, 3, 1, 0),
        ContactRow("digits", None, 2, 2, 2, 0),
        ContactRow("gate", "v1", 1, 1, 0, 0),
    ]
    assert devices_of(rows) == {"digits": 10, "gate": 1}
    assert silent_of(rows) == Counter(
        {("digits", "day"): 5, ("digits", "week"): 3, ("gate", "day"): 1, ("gate", "week"): 0}
    )


@pytest.mark.parametrize(
    ("tables", "skewed"),
    [("v1", 4), ("v2", 0), ("v3", 0), ("v20", 4), ("interchange", 0), ("unknown", 0), (None, 0)],
)
def test_devices_that_run_neither_the_assignment_nor_the_rollouts_bundle_are_skewed(
    tables: str | None, skewed: int
) -> None:
    assert skewed_of([ContactRow("digits", tables, 4, 0, 0, 4)], {"digits": {2, 3}})["digits"] == skewed


def test_of_a_family_that_is_told_nothing_nobody_is_skewed() -> None:
    assert skewed_of([ContactRow("digits", "v1", 4, 0, 0, 4)], {}) == {}
