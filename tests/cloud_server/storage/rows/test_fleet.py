"""Devices by when they were here last, searched for as people remember them, and counted."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, insert

from cloud_server.storage.rows.fleet import DeviceQuery, SeenPlace, by_last_seen, count
from cloud_server.storage.schema import device_tags, devices, heartbeats


@pytest.fixture
def database(connection: Connection) -> Connection:
    """Devices a1 to a6, of which a2 and a5 were here at the same time, a4 never, and a6 was forgotten."""
    seen = {1: 10.0, 2: 30.0, 3: 20.0, 4: None, 5: 30.0, 6: 50.0}
    names = {1: "North Gate", 2: "south 100%", 3: None, 4: "mill, north", 5: "south 1000", 6: "north"}
    known = [
        {"id": number, "public_id": f"a{number}", "family": "digits", "token_sha256": bytes([number]) * 32}
        | {"enrolled_at": 0.0, "name": names[number], "last_seen_at": seen[number]}
        | {"forgotten_at": 60.0 if number == 6 else None}
        for number in seen
    ]
    connection.execute(insert(devices), known)
    tagged = [{"device_id": 3, "tag": "site=north"}, {"device_id": 3, "tag": "roof"}, {"device_id": 1, "tag": "roof"}]
    connection.execute(insert(device_tags), tagged)
    beat = {"received_at": 1.0, "program": "1.2", "is_stale": False, "boots": "[]", "document": "{}"}
    on_trial = beat | {"trial_target": "digits/2.json", "trial_since": 1.0}
    connection.execute(insert(heartbeats), on_trial | {"device_id": 3})
    connection.execute(insert(heartbeats), beat | {"device_id": 2})
    return connection


def found(database: Connection, **asked: object) -> Sequence[str]:
    """The public ids of the devices that are like that, the one that was here last first."""
    wanted = DeviceQuery(**asked)  # type: ignore[arg-type]
    rows = by_last_seen(database, wanted, after=None, limit=10)
    assert count(database, wanted) == len(rows)
    return [row.public_id for row in rows]


def test_who_was_here_last_comes_first_and_who_never_was_comes_last(database: Connection) -> None:
    assert found(database) == ["a5", "a2", "a3", "a1", "a4"]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_have_every_device_once_also_those_that_were_here_at_one_time(database: Connection, size: int) -> None:
    listed: list[str] = []
    after = None
    while rows := by_last_seen(database, DeviceQuery(), after, size):
        listed += [row.public_id for row in rows]
        after = SeenPlace(rows[-1].last_seen_at or 0.0, rows[-1].id)
    assert listed == ["a5", "a2", "a3", "a1", "a4"]


@pytest.mark.parametrize(
    ("search", "devices"),
    [
        ("north", ["a1", "a4"]),  # a tag has to begin with it: site=north does not
        ("NORTH", ["a1", "a4"]),
        ("site=n", ["a3"]),
        ("roof", ["a3", "a1"]),
        ("A4", ["a4"]),
        ("100%", ["a2"]),
        ("nothing like it", []),
    ],
)
def test_a_device_is_found_by_a_part_of_its_name_or_the_beginning_of_its_id_or_tag(
    database: Connection, search: str, devices: list[str]
) -> None:
    assert found(database, search=search) == devices


def test_a_search_narrows_what_was_asked_for_otherwise(database: Connection) -> None:
    assert found(database, search="roof", is_on_trial=True) == ["a3"]
    assert found(database, is_on_trial=False) == ["a5", "a2", "a1", "a4"]
