"""What is read of a damaged file: whole rows only, wherever they stand."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from sensor_client.spool import Spool, SpoolLimits
from sensor_client.spool.salvage import FRAMES, highest_number, named_rows, numbered_rows, reading_damaged
from sensor_client.spool.schema import ADDED_COLUMNS, SCHEMA, SCHEMA_VERSION


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "spool.sqlite3"
    with contextlib.closing(Spool(path, SpoolLimits())) as spool:
        for number in range(1, 6):
            spool.append(bytes([number]), number)
    return path


def frames_of(path: Path) -> list[int]:
    """The numbers of the frames that can be read."""
    with reading_damaged(path) as connection:
        assert connection is not None
        return sorted(row["sequence"] for row in numbered_rows(connection, "frames", FRAMES))


@pytest.mark.parametrize(
    "damage",
    [
        "sequence = -5",
        "captured_at_ms = 'soon'",
        "body = 'text'",
        "kind = 'frxme'",
        "priority = 7",
        "label = x'ff'",
        "label = CAST(x'ff' AS TEXT)",
        "uptime_ms = 1.5",
    ],
)
def test_a_row_that_is_none_is_passed_over_and_those_around_it_are_read(path: Path, damage: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE frames SET {damage} WHERE sequence = 3")
        connection.commit()
    assert frames_of(path) == [1, 2, 4, 5]


def test_every_column_of_frames_is_read_also_those_that_came_later(path: Path) -> None:
    assert set(ADDED_COLUMNS) < set(FRAMES)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert {row[1] for row in connection.execute("PRAGMA table_info(frames)")} == set(FRAMES)


def test_the_file_of_an_earlier_program_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "earlier.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"{SCHEMA}; PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("INSERT INTO frames (captured_at_ms, body) VALUES (5, x'01')")
        connection.commit()
    assert frames_of(path) == [1]


def test_what_is_no_database_gives_nothing(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"a text")
    with reading_damaged(path) as connection:
        assert connection is None
    path.write_bytes(b"a long text " * 1000)
    with reading_damaged(path) as connection:
        assert connection is None or list(numbered_rows(connection, "frames", FRAMES)) == []


def test_the_highest_number_and_named_rows_are_read(path: Path) -> None:
    with reading_damaged(path) as connection:
        assert connection is not None
        assert highest_number(connection) == 5
        is_any = lambda value: True  # noqa: E731
        rows = list(named_rows(connection, "counters", {"name": is_any, "value": is_any}))
        assert {"name": "encoded", "value": 5} in rows
        assert len(rows) == len({row["name"] for row in rows})
        connection.execute("DELETE FROM sqlite_sequence")
        assert highest_number(connection) is None
