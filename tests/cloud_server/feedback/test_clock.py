"""A clock that is wrong deletes nothing, whatever it says and whenever the process starts."""

from pathlib import Path

import pytest
from structlog.typing import EventDict

from cloud_server.feedback.clock import Clock, heard
from cloud_server.feedback.retention import Lifetimes, Retention
from cloud_server.storage.rows.known_time import KnownTime
from cloud_server.storage.schema import results
from tests.cloud_server.feedback.test_keeping import DAY, START, Stand, run_on
from tests.cloud_server.harness.engines import Engine

HOUR = 3600.0
KNOWN = KnownTime(START, None, 0.0)


def said(known: KnownTime, wall: float, elapsed: float | None) -> tuple[bool, KnownTime]:
    after = heard(known, wall, elapsed)
    return after.doubted is None, after


@pytest.mark.parametrize(
    ("wall", "elapsed", "is_believed"),
    [
        (START + 5, 5, True),
        (START + 12 * HOUR, 5, True),
        (START + DAY + 6, 5, False),
        (START - DAY - 6, 5, False),
        (START + 400 * DAY, 5, False),
        (START + 12 * HOUR, None, True),
        (START + 90 * DAY, None, False),
        (START + 90 * DAY, 90 * DAY, True),
    ],
)
def test_a_clock_is_believed_within_a_day_of_what_is_known(
    wall: float, elapsed: float | None, is_believed: bool
) -> None:
    assert said(KNOWN, wall, elapsed)[0] == is_believed


def test_steps_of_less_than_a_day_do_not_add_up() -> None:
    known, wall = KNOWN, START
    believed = []
    for _ in range(4):
        wall += 20 * HOUR
        is_believed, known = said(known, wall, 5)
        believed.append(is_believed)
    assert believed == [True, False, False, False]


@pytest.mark.parametrize("ahead", [400 * DAY, -400 * DAY])
def test_a_clock_that_has_jumped_is_believed_after_it_has_held_for_a_day(ahead: float) -> None:
    _, known = said(KNOWN, START + ahead, 0)
    for hour in range(1, 24):
        is_believed, known = said(known, START + ahead + hour * HOUR, HOUR)
        assert not is_believed
    assert said(known, START + ahead + DAY, HOUR)[0]


def test_time_while_nobody_runs_is_no_time_that_a_clock_has_held() -> None:
    _, known = said(KNOWN, START + 400 * DAY, 0)
    for start in range(10):
        is_believed, known = said(known, START + 400 * DAY + start * 12 * HOUR, None)
        assert not is_believed


def test_a_clock_that_is_right_again_is_believed_at_once_and_one_that_jumps_again_begins_anew() -> None:
    _, known = said(KNOWN, START + 400 * DAY, 0)
    _, known = said(known, START + 400 * DAY + 23 * HOUR, 23 * HOUR)
    assert said(known, START + DAY, HOUR) == (True, KnownTime(START + DAY, None, 0.0))
    is_believed, known = said(known, START + 700 * DAY, 2 * HOUR)
    assert (is_believed, known.held_seconds) == (False, 0.0)


def test_a_clock_400_days_ahead_deletes_no_answer_and_says_so_once(
    engine: Engine, tmp_path: Path, lines: list[EventDict]
) -> None:
    async def scenario(stand: Stand) -> None:
        seconds = [0.0]

        def process() -> Retention:
            clock = Clock(stand.database.database, lambda: stand.now, lambda: seconds[0])
            days = Lifetimes(samples_days=30, results_days=60)
            return Retention(stand.database, stand.blobs, days, lambda: stand.now, clock.is_believed)

        async def passes(retention: Retention, hours: int) -> None:
            for _ in range(hours):
                stand.now += HOUR
                seconds[0] += HOUR
                await retention.tidy()

        await stand.answers(range(10))
        await passes(process(), 26)
        right = stand.now
        stand.now = right + 400 * DAY
        await passes(process(), 20)
        assert await stand.count(results) == 10
        assert [line["event"] for line in lines] == ["clock-believed", "clock-not-believed"]
        stand.now = right + 20 * HOUR
        await passes(process(), 2)
        stand.now += 400 * DAY
        retention = process()
        await passes(retention, 24)
        assert await stand.count(results) == 10, "a server that was off for a year waits a day, too"
        await passes(retention, 1)
        assert await stand.count(results) == 0

    run_on(engine, tmp_path / "data", scenario)
