"""A thread that works or waits is seen; one that hangs is not."""

import threading
from collections.abc import Callable

import pytest

from sensor_client.pulse import Pulse, WatchedClock, WatchedStop
from tests.sensor_client.fakes import FakeClock


@pytest.fixture
def pulse(clock: FakeClock) -> Pulse:
    return Pulse(clock.monotonic_seconds)


def silent_seconds_of(work: Callable[[], object], pulse: Pulse, clock: FakeClock, seconds: float) -> float:
    """How long a thread was silent that has worked and then hangs for so long."""
    worked, let_go = threading.Event(), threading.Event()

    def run() -> None:
        work()
        worked.set()
        let_go.wait()

    thread = threading.Thread(target=run, name="capture")
    thread.start()
    worked.wait()
    clock.elapsed_seconds += seconds
    try:
        return pulse.silent_seconds("capture")
    finally:
        let_go.set()
        thread.join()


def test_a_thread_is_seen_when_it_looks_for_a_stop_or_at_the_clock_and_not_while_it_hangs(
    pulse: Pulse, clock: FakeClock
) -> None:
    stop, watched = WatchedStop(pulse), WatchedClock(clock, pulse)

    assert silent_seconds_of(stop.is_set, pulse, clock, 100.0) == 100.0
    assert silent_seconds_of(watched.now, pulse, clock, 50.0) == 50.0
    assert silent_seconds_of(watched.monotonic_seconds, pulse, clock, 5.0) == 5.0
    assert silent_seconds_of(lambda: watched.wait(stop, 7.0), pulse, clock, 2.0) == 2.0


def test_a_thread_that_waits_is_well_however_long_that_takes(pulse: Pulse, clock: FakeClock) -> None:
    let_go, waits = threading.Event(), threading.Event()

    class Waiting(FakeClock):
        def wait(self, event: threading.Event, seconds: float) -> bool:
            waits.set()
            return event.wait(20.0)

    thread = threading.Thread(target=lambda: WatchedClock(Waiting(), pulse).wait(let_go, 1e9), name="capture")
    thread.start()
    waits.wait()
    clock.elapsed_seconds += 1e6

    assert pulse.silent_seconds("capture") == 0.0
    let_go.set()
    thread.join()
    clock.elapsed_seconds += 1e6
    assert pulse.silent_seconds("capture") == 0.0  # it has ended: its work was done


def test_who_was_never_seen_is_not_silent(pulse: Pulse) -> None:
    assert pulse.silent_seconds("capture") == 0.0
