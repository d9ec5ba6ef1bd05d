"""What waits: the order in which frames are sent, and the order in which they go when there are too many."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensor_client.spool import DropReason, Priority, Probe, Spool, SpoolLimits
from sensor_client.spool.schema import SCHEMA, SCHEMA_VERSION
from sensor_client.spool.spool import _OLDEST
from sensor_client.spool.waiting import _FIRST_TO_GO


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.sqlite3"


@pytest.fixture
def small(path: Path) -> Iterator[Spool]:
    """It holds three frames."""
    with contextlib.closing(Spool(path, SpoolLimits(frames=3))) as spool:
        yield spool


def waiting(spool: Spool) -> list[int]:
    """The numbers of all frames that wait, in the order in which they are sent."""
    found: list[int] = []
    while frames := spool.oldest(99, but=found):
        found += [frame.sequence for frame in frames]
    return found


def test_what_an_operator_asked_for_is_sent_before_a_backlog_and_numbers_rise_in_each_answer(path: Path) -> None:
    with contextlib.closing(Spool(path, SpoolLimits())) as spool:
        for priority in (0, 0, 3, 2, 0, 3, 1):
            spool.append(b"x", 0, priority=Priority(priority))
        sent = []
        while frames := spool.oldest(16):
            assert len({frame.priority for frame in frames}) == 1
            sent.append([frame.sequence for frame in frames])
            spool.acknowledge(sent[-1])
        assert sent == [[3, 6], [4], [7], [1, 2, 5]]


def test_frames_that_are_set_aside_let_those_behind_them_go_on(path: Path) -> None:
    with contextlib.closing(Spool(path, SpoolLimits())) as spool:
        for priority in (0, 0, 3, 0):
            spool.append(b"x", 0, priority=Priority(priority))
        assert [frame.sequence for frame in spool.oldest(2, but={3, 1})] == [2, 4]
        assert spool.oldest(2, but=range(9)) == []


def test_over_quota_the_oldest_of_the_lowest_priority_goes_first(small: Spool) -> None:
    for priority in (Priority.REQUESTED, Priority.ORDINARY, Priority.RARE, Priority.ORDINARY):
        small.append(b"x", 0, priority=priority)
    assert waiting(small) == [1, 3, 4]
    small.append(b"x", 0, priority=Priority.CHANGE)
    assert waiting(small) == [1, 3, 5]
    small.append(b"x", 0, priority=Priority.REQUESTED)
    assert waiting(small) == [1, 6, 3]


def test_a_frame_of_lower_priority_than_all_that_wait_goes_itself(small: Spool) -> None:
    for _ in range(3):
        small.append(b"x", 0, priority=Priority.RARE)
    assert small.append(b"x", 0) == 4
    assert waiting(small) == [1, 2, 3]
    assert small.counters().dropped == 1


def test_companions_go_before_frames_whatever_their_priority(small: Spool) -> None:
    probe = Probe(body=b"p", target="digits/1.json", tables=None)
    small.append(b"x", 0, priority=Priority.REQUESTED, probe=probe)
    small.append(b"x", 0)
    small.append(b"x", 0)
    assert waiting(small) == [1, 3, 4]
    assert (small.counters().dropped, small.counters().probes_dropped) == (0, 1)


def test_frames_of_a_spool_from_before_priorities_are_ordinary_and_an_older_program_goes_on_in_it(path: Path) -> None:
    before = "INSERT INTO frames (captured_at_ms, tables_id, body, label) VALUES (5, NULL, x'01', 'A')"
    with contextlib.closing(sqlite3.connect(path)) as older:
        older.executescript(f"{SCHEMA}; PRAGMA user_version = {SCHEMA_VERSION}; {before}")
    with contextlib.closing(Spool(path, SpoolLimits())) as spool:
        spool.append(b"new", 6, priority=Priority.REQUESTED)
    with contextlib.closing(sqlite3.connect(path)) as older:
        older.executescript(before)
    with contextlib.closing(Spool(path, SpoolLimits())) as spool:
        assert waiting(spool) == [2, 1, 3]
        assert {frame.priority for frame in spool.oldest(9, but=[2])} == {Priority.ORDINARY}


def test_neither_sending_nor_dropping_looks_at_all_that_waits(small: Spool) -> None:
    """The plans of both queries: a search in an index, never a scan."""
    with small._database.reading() as connection:
        for query, values in ((_OLDEST, (0,)), (_FIRST_TO_GO, ())):
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]
            steps = [step for step in plan if "frames" in step]
            assert all(step.startswith("SEARCH frames USING") and "priorities" in step for step in steps), plan


class Uptime:
    """A clock that only the program's running moves."""

    seconds = 500.0

    def __call__(self) -> float:
        return self.seconds


def test_what_waits_too_long_goes_by_the_time_that_the_program_ran_over_all_its_starts(path: Path) -> None:
    limits = SpoolLimits(age_seconds=100)
    for start in range(4):
        uptime = Uptime()
        with contextlib.closing(Spool(path, limits, monotonic_seconds=uptime)) as spool:
            spool.append(b"x", 0, priority=Priority(start))
            uptime.seconds += 40
            spool.append(b"x", 0)
            assert spool.uptime_seconds == 40 * (start + 1)
            if start == 2:
                assert waiting(spool) == [5, 3, 2, 4, 6], "the first is 120 s old"
    with contextlib.closing(Spool(path, limits)) as spool:
        assert sorted(waiting(spool)) == [4, 5, 6, 7, 8]
        assert spool.drops() == {(DropReason.AGE, Priority.ORDINARY): 2, (DropReason.AGE, Priority.CHANGE): 1}
        assert spool.counters().dropped == 3


def test_without_a_limit_no_frame_is_too_old(path: Path) -> None:
    uptime = Uptime()
    with contextlib.closing(Spool(path, SpoolLimits(), monotonic_seconds=uptime)) as spool:
        spool.append(b"x", 0)
        uptime.seconds += 1e9
        spool.append(b"x", 0)
        assert waiting(spool) == [1, 2]


def test_after_a_month_offline_frames_that_are_too_old_go_some_at_a_time(path: Path) -> None:
    uptime = Uptime()
    with contextlib.closing(Spool(path, SpoolLimits(age_seconds=100), monotonic_seconds=uptime)) as spool:
        for _ in range(100):
            spool.append(b"x", 0, probe=Probe(body=b"p", target="digits/1.json", tables=None))
        uptime.seconds += 1000
        counts = []
        for _ in range(5):
            spool.append(b"x", 0)
            counts.append((spool.depth().frames, spool.depth().probes))
        assert counts == [(69, 68), (38, 36), (7, 4), (4, 0), (5, 0)]


def test_drops_are_counted_by_reason_and_priority(small: Spool) -> None:
    for priority in (0, 0, 1, 1, 2, 3, 3):
        small.append(b"x", 0, priority=Priority(priority))
    assert small.drops() == {(DropReason.QUOTA, Priority.ORDINARY): 2, (DropReason.QUOTA, Priority.CHANGE): 2}
    assert sum(small.drops().values()) == small.counters().dropped


def test_a_frame_larger_than_the_whole_quota_pushes_nothing_else_out(path: Path) -> None:
    with contextlib.closing(Spool(path, SpoolLimits(frame_bytes=10))) as spool:
        probe = Probe(body=b"p", target="digits/1.json", tables=None)
        spool.append(b"x", 0)
        spool.append(bytes(11), 0, priority=Priority.REQUESTED, probe=probe)
        assert waiting(spool) == [1]
        assert spool.depth().probes == 0


def test_a_frame_as_large_as_the_whole_quota_waits_and_pushes_the_others_out(path: Path) -> None:
    with contextlib.closing(Spool(path, SpoolLimits(frame_bytes=10))) as spool:
        spool.append(b"x", 0)
        spool.append(bytes(10), 0)
        assert waiting(spool) == [2]


def test_bytes_of_companions_count_against_the_quota(path: Path) -> None:
    with contextlib.closing(Spool(path, SpoolLimits(frame_bytes=10))) as spool:
        spool.append(bytes(6), 0, probe=Probe(body=b"ppp", target="digits/1.json", tables=None))
        spool.append(bytes(4), 0)
        assert waiting(spool) == [1, 3]
        assert spool.depth().probes == 0


def test_a_frame_may_wait_for_exactly_as_long_as_is_said(path: Path) -> None:
    uptime = Uptime()
    with contextlib.closing(Spool(path, SpoolLimits(age_seconds=100), monotonic_seconds=uptime)) as spool:
        spool.append(b"x", 0)
        uptime.seconds += 100
        spool.append(b"x", 0)
        assert waiting(spool) == [1, 2]
        uptime.seconds += 0.5
        spool.append(b"x", 0)
        assert waiting(spool) == [2, 3]


def test_a_frame_of_which_nobody_noted_the_uptime_is_never_too_old_and_keeps_those_behind_it(path: Path) -> None:
    uptime, limits = Uptime(), SpoolLimits(age_seconds=100)
    with contextlib.closing(sqlite3.connect(path)) as older:
        older.executescript(
            f"{SCHEMA}; PRAGMA user_version = {SCHEMA_VERSION};"
            "INSERT INTO frames (captured_at_ms, tables_id, body, label) VALUES (5, NULL, x'01', 'A')"
        )
    with contextlib.closing(Spool(path, limits, monotonic_seconds=uptime)) as spool:
        for _ in range(2):
            spool.append(b"x", 0)
            uptime.seconds += 1000
        assert waiting(spool) == [1, 2, 3]
        spool.acknowledge([1])
        spool.append(b"x", 0)
        assert waiting(spool) == [4]
