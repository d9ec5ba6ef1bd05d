"""At which hours pictures are taken."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor_client.policies.schedule import DAYS, MOST_WINDOWS, Schedule, ScheduleError

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600.0


def at(text: str, zone: ZoneInfo = BERLIN, *, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def is_active(schedule: str, text: str) -> bool:
    return Schedule.of(schedule).is_active(at(text), BERLIN)


def test_pictures_are_taken_from_the_first_minute_to_the_one_before_the_last() -> None:
    times = ["05:59", "06:00", "19:59", "20:00"]
    assert [is_active("06:00-20:00", f"2026-03-02T{time}:30") for time in times] == [False, True, True, False]


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    friday, saturday, sunday = "2026-03-06", "2026-03-07", "2026-03-08"
    times = [f"{friday}T03:00", f"{friday}T23:00", f"{saturday}T03:59", f"{saturday}T04:00", f"{sunday}T03:00"]
    assert [is_active("Fri 22:00-04:00", time) for time in times] == [False, True, True, False, False]


def test_several_windows_of_several_days_are_one_schedule() -> None:
    schedule = "Mon-Fri 06:00-12:00; Mon-Fri 13:00-18:00;Sat,Sun 00:00-24:00"
    monday, sunday = "2026-03-02", "2026-03-08"
    times = [f"{monday}T11:59", f"{monday}T12:30", f"{monday}T13:00", f"{monday}T18:00", f"{sunday}T23:59"]
    assert [is_active(schedule, time) for time in times] == [True, False, True, False, True]


def test_days_go_round_the_end_of_the_week() -> None:
    assert Schedule.of("Sat-Mon 08:00-09:00").windows[0].days == {5, 6, 0}


def test_utc_hours_are_those_of_utc_wherever_the_device_is() -> None:
    schedule = Schedule.of("UTC 06:00-20:00")
    assert not schedule.is_active(at("2026-07-01T07:30"), BERLIN)  # 05:30 UTC
    assert schedule.is_active(at("2026-07-01T08:30"), BERLIN)


def test_the_clock_on_the_wall_decides_when_summer_time_begins_and_ends() -> None:
    schedule = Schedule.of("06:00-20:00")
    night_of_spring, night_of_autumn = at("2026-03-28T20:00"), at("2026-10-24T20:00")
    assert schedule.next_change(night_of_spring, BERLIN) == night_of_spring + 9 * HOUR
    assert schedule.next_change(night_of_autumn, BERLIN) == night_of_autumn + 11 * HOUR


def test_an_hour_that_a_night_skips_is_skipped_and_one_that_it_has_twice_is_active_twice() -> None:
    schedule = Schedule.of("02:00-03:00")
    evening = at("2026-03-28T20:00")
    assert schedule.next_change(evening, BERLIN) == at("2026-03-30T02:00")
    start = at("2026-10-25T02:00")
    assert schedule.is_active(at("2026-10-25T02:30", fold=1), BERLIN)
    assert schedule.next_change(start, BERLIN) == start + 2 * HOUR


def test_a_schedule_of_every_hour_changes_never() -> None:
    assert Schedule.of("00:00-24:00").next_change(at("2026-03-02T12:00"), BERLIN) is None
    assert Schedule.of("00:00-12:00; 12:00-24:00").next_change(at("2026-03-02T12:00"), BERLIN) is None


def test_the_operating_systems_zone_is_used_where_none_is_given() -> None:
    now = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()
    wall = datetime.fromtimestamp(now)
    assert Schedule.of(f"{wall:%H:%M}-{wall.hour:02}:59").is_active(now)


def test_a_time_beyond_the_calendar_says_nothing_and_is_active() -> None:
    assert Schedule.of("06:00-06:01").is_active(1e30)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";",
        "06:00",
        "6-20",
        "06:00-20:00;",
        "25:00-26:00",
        "06:60-07:00",
        "06:00-06:00",
        "24:00-06:00",
        "Mo 06:00-07:00",
        "06:00-20:00;" * MOST_WINDOWS + "06:00-20:00",
        "UTC",
        "24:01-25:00",
        "Mon- 06:00-07:00",
    ],
)
def test_what_is_no_schedule_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ScheduleError, match="Mon-Fri 06:00-20:00"):
        Schedule.of(text)


def test_a_schedule_has_as_many_windows_as_it_may() -> None:
    assert len(Schedule.of(";".join(["06:00-20:00"] * MOST_WINDOWS)).windows) == MOST_WINDOWS


@st.composite
def texts(draw: st.DrawFn) -> str:
    days = draw(st.lists(st.sampled_from(DAYS), min_size=1, unique=True))
    start = draw(st.integers(0, 1439))
    end = draw(st.integers(1, 1440).filter(lambda end: end != start and end - start != 1440))
    return f"{','.join(days)} {start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"


@given(st.lists(texts(), min_size=1, max_size=3), st.booleans(), st.integers(0, 2**31))
def test_a_schedule_says_itself(windows: list[str], is_utc: bool, now: int) -> None:
    schedule = Schedule.of(("utc " if is_utc else "") + ";".join(windows))
    assert Schedule.of(str(schedule)) == schedule


@given(texts(), st.integers(1_700_000_000, 1_900_000_000))
def test_nothing_changes_before_the_next_change(text: str, now: int) -> None:
    schedule = Schedule.of(text)
    change = schedule.next_change(now, BERLIN)
    assert change is not None and change > now
    before = schedule.is_active(now, BERLIN)
    assert schedule.is_active(change, BERLIN) != before
    for share in (0.25, 0.5, 0.75, 0.999):
        assert schedule.is_active(now + share * (change - now), BERLIN) == before
