"""When the next picture is due."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sensor_client.pacer import LOOK_SECONDS, Pacer
from sensor_client.policies import CaptureOrders, HeldCaptureOrders, Requests, Schedule
from sensor_client.signals import Signals
from tests.sensor_client.fakes import FakeClock

HOUR = 3600.0


class Pace:
    """A pacer, and what it works with."""

    def __init__(self, clock: FakeClock, signals: Signals, *, waits_for_hours: bool = True, **orders: Any) -> None:
        self.orders = HeldCaptureOrders(CaptureOrders(**orders))
        self.requests = Requests()
        self.floor = 0.0
        self.floor_asked = 0
        self.clock = clock
        self.pacer = Pacer(
            orders=self.orders,
            requests=self.requests,
            clock=clock,
            signals=signals,
            time_floor=self._time_floor,
            waits_for_hours=waits_for_hours,
        )

    def _time_floor(self) -> float:
        self.floor_asked += 1
        return self.floor

    def turns(self, count: int, *, each_takes: float = 0.0) -> list[float]:
        """When the next turns come, in seconds from now on."""
        began, found = self.clock.elapsed_seconds, []
        for _ in range(count):
            assert self.pacer.await_turn()
            found.append(self.clock.elapsed_seconds - began)
            self.clock.elapsed_seconds += each_takes
        return found


def set_clock(clock: FakeClock, text: str) -> None:
    clock.elapsed_seconds = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() - 1_700_000_000


def test_without_a_rate_every_moment_is_due(clock: FakeClock, signals: Signals) -> None:
    assert Pace(clock, signals).turns(3) == [0, 0, 0] and clock.waits == []


def test_pictures_are_due_at_the_rate_whatever_each_takes(clock: FakeClock, signals: Signals) -> None:
    assert Pace(clock, signals, frames_per_second=0.5).turns(4, each_takes=0.5) == [0, 2, 4, 6]


def test_a_camera_that_fell_behind_takes_no_burst(clock: FakeClock, signals: Signals) -> None:
    pace = Pace(clock, signals, frames_per_second=1)
    pace.turns(1)
    clock.elapsed_seconds += 10.5
    assert pace.turns(3) == [0, 1, 2]


def test_another_rate_is_followed_within_seconds_of_a_long_wait(clock: FakeClock, signals: Signals) -> None:
    pace = Pace(clock, signals, frames_per_second=1 / HOUR)
    pace.turns(1)
    clock.on_wait = lambda _: pace.orders.replace(CaptureOrders(frames_per_second=0.1))
    assert pace.turns(1) == [LOOK_SECONDS]


def test_a_picture_that_is_asked_for_is_due_within_seconds_and_the_period_begins_there(
    clock: FakeClock, signals: Signals
) -> None:
    pace = Pace(clock, signals, frames_per_second=0.01)
    pace.turns(1)
    clock.on_wait = lambda _: pace.requests.ask() if len(clock.waits) == 2 else None
    [first] = pace.turns(1)
    pace.requests.take()
    assert first == 2 * LOOK_SECONDS and pace.turns(1) == [100]


def test_a_stop_ends_the_wait(clock: FakeClock, signals: Signals) -> None:
    pace = Pace(clock, signals, frames_per_second=0.001)
    pace.turns(1)
    clock.on_wait = lambda _: signals.request_stop()
    assert not pace.pacer.await_turn() and len(clock.waits) == 1


def test_no_picture_is_due_in_quiet_hours_and_the_log_says_until_when(
    clock: FakeClock, signals: Signals, lines: list[Mapping[str, Any]]
) -> None:
    set_clock(clock, "2026-03-02T20:00")
    pace = Pace(clock, signals, frames_per_second=1, active=Schedule.of("UTC 06:00-20:00"))
    assert pace.turns(3) == [10 * HOUR, 10 * HOUR + 1, 10 * HOUR + 2]
    assert set(clock.waits) == {LOOK_SECONDS, 1.0}, "it sleeps between looks"
    assert [(line["event"], line["until"]) for line in lines] == [
        ("quiet-hours-began", "2026-03-03T06:00:00+00:00"),
        ("active-hours-began", "2026-03-03T20:00:00+00:00"),
    ]


def test_a_camera_that_wakes_in_quiet_hours_takes_no_picture_and_does_not_wait(
    clock: FakeClock, signals: Signals
) -> None:
    set_clock(clock, "2026-03-02T20:00")
    pace = Pace(clock, signals, waits_for_hours=False, active=Schedule.of("UTC 06:00-20:00"))
    assert not pace.pacer.await_turn() and clock.waits == []


def test_a_picture_that_is_asked_for_waits_for_active_hours(clock: FakeClock, signals: Signals) -> None:
    set_clock(clock, "2026-03-02T20:00")
    pace = Pace(clock, signals, active=Schedule.of("UTC 06:00-20:00"))
    pace.requests.ask()
    assert pace.turns(1) == [10 * HOUR]


def test_hours_that_are_ordered_anew_count_within_seconds(clock: FakeClock, signals: Signals) -> None:
    set_clock(clock, "2026-03-02T20:00")
    pace = Pace(clock, signals, active=Schedule.of("UTC 06:00-20:00"))
    clock.on_wait = lambda _: pace.orders.replace(CaptureOrders())
    assert pace.turns(1) == [LOOK_SECONDS]


def test_a_clock_that_is_certainly_wrong_makes_no_quiet_hours(
    clock: FakeClock, signals: Signals, lines: list[Mapping[str, Any]]
) -> None:
    set_clock(clock, "2026-03-02T23:00")
    pace = Pace(clock, signals, frames_per_second=1, active=Schedule.of("UTC 06:00-20:00"))
    pace.floor = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
    assert pace.turns(3) == [0, 1, 2]
    assert [line["event"] for line in lines] == ["clock-certainly-wrong"]
    assert pace.floor_asked == 1, "reading what was signed costs more than a picture"


def test_once_the_clock_is_set_hours_count_again(clock: FakeClock, signals: Signals) -> None:
    set_clock(clock, "2026-03-02T23:00")
    pace = Pace(clock, signals, active=Schedule.of("UTC 06:00-20:00"))
    pace.floor = datetime(2026, 3, 3, tzinfo=UTC).timestamp()
    pace.turns(1)
    set_clock(clock, "2026-03-03T23:00")
    assert pace.turns(1) == [7 * HOUR]


def test_the_floor_is_not_asked_for_while_hours_are_active(clock: FakeClock, signals: Signals) -> None:
    set_clock(clock, "2026-03-02T12:00")
    pace = Pace(clock, signals, frames_per_second=1, active=Schedule.of("UTC 06:00-20:00"))
    pace.turns(5)
    assert pace.floor_asked == 0
