"""Dead letters: bounds, sending them again, and files of earlier programs."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensor_client.spool import Priority, Spool, SpoolLimits
from sensor_client.spool.schema import SCHEMA, SCHEMA_VERSION


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.sqlite3"


@pytest.fixture
def spool(path: Path) -> Iterator[Spool]:
    with contextlib.closing(Spool(path, SpoolLimits(dead_letters=3, dead_letter_bytes=20))) as spool:
        yield spool


def refuse(spool: Spool, *sequences: int) -> None:
    """The server refuses frames for good."""
    for sequence in sequences:
        spool.refuse(sequence, status=422, code="corrupt-jpeg", detail="why")


def numbers(spool: Spool) -> list[int]:
    """Of the dead letters that are kept."""
    return [letter.sequence for letter in spool.dead_letters()]


def test_the_oldest_go_first_over_a_bound_of_bytes_as_over_one_of_numbers(spool: Spool) -> None:
    for size in (8, 8, 8, 1):
        refuse(spool, spool.append(bytes(size), 0))
    assert numbers(spool) == [2, 3, 4]
    refuse(spool, spool.append(bytes(18), 0))
    assert numbers(spool) == [4, 5]
    refuse(spool, spool.append(bytes(21), 0))
    assert numbers(spool) == []
    assert spool.counters().refused == 6


def test_what_is_sent_again_has_all_its_time_to_wait_before_it(path: Path) -> None:
    uptime_seconds = [500.0]
    limits = SpoolLimits(age_seconds=100)
    with contextlib.closing(Spool(path, limits, monotonic_seconds=lambda: uptime_seconds[0])) as spool:
        refuse(spool, spool.append(b"one", 0))
        uptime_seconds[0] += 1000
        assert spool.send_again() == 1
        uptime_seconds[0] += 50
        spool.append(b"two", 0)
        assert [frame.body for frame in spool.oldest(9)] == [b"one", b"two"]


def test_what_is_sent_again_waits_as_it_was_under_a_new_number(spool: Spool) -> None:
    spool.keep_tables("t", b"tables")
    spool.append(b"one", 7, tables_id="t", target="digits/1.json", label="A", priority=Priority.RARE)
    spool.append(b"two", 8)
    refuse(spool, 1, 2)
    spool.keep_tables("u", b"others")
    assert spool.send_again([1, 99]) == 1
    [frame] = spool.oldest(9)
    assert (frame.sequence, frame.body, frame.captured_at_ms, frame.tables_id) == (3, b"one", 7, "t")
    assert (frame.target, frame.label, frame.priority) == ("digits/1.json", "A", Priority.RARE)
    assert spool.tables_stream("t") == b"tables"
    assert numbers(spool) == [2]
    assert spool.send_again() == 1
    spool.acknowledge([3, 4])
    counters = spool.counters()
    assert (counters.encoded, counters.refused, counters.retried, counters.acknowledged) == (2, 2, 2, 2)
    assert spool.depth().frames == spool.depth().frame_bytes == 0


def test_dead_letters_are_cleared_when_somebody_says_so(spool: Spool) -> None:
    for _ in range(3):
        refuse(spool, spool.append(b"x", 0))
    assert spool.clear_dead_letters([2, 9]) == 1
    assert numbers(spool) == [1, 3]
    assert spool.clear_dead_letters() == 2
    assert numbers(spool) == [] and spool.counters().refused == 3


def test_dead_letters_of_an_earlier_program_are_sent_again_and_it_goes_on_in_the_file(path: Path) -> None:
    before = "INSERT OR REPLACE INTO dead_letters SELECT 1, 5, 422, 'corrupt-jpeg', 'why', x'01'"
    with contextlib.closing(sqlite3.connect(path)) as older:
        older.executescript(f"{SCHEMA}; PRAGMA user_version = {SCHEMA_VERSION}; {before}")
        older.execute("INSERT INTO sqlite_sequence VALUES ('frames', 1)")
        older.commit()
    with contextlib.closing(Spool(path, SpoolLimits())) as spool:
        assert spool.send_again() == 1
        assert [(frame.sequence, frame.body, frame.tables_id) for frame in spool.oldest(9)] == [(2, b"\x01", None)]
    with contextlib.closing(sqlite3.connect(path)) as older:
        older.executescript(before)
