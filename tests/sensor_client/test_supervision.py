"""A part that fails is started again, and nothing of its faults comes out."""

import pytest

from sensor_client.errors import UnauthorisedError
from sensor_client.signals import Signals
from sensor_client.supervision import FLOOR_SECONDS, WELL_AFTER_SECONDS, Supervised
from tests.sensor_client.fakes import FakeClock


def supervised(clock: FakeClock, signals: Signals, faults: list[Exception], lasts_seconds: float = 0.0) -> Supervised:
    def work() -> None:
        clock.elapsed_seconds += lasts_seconds
        if faults:
            raise faults.pop(0)

    return Supervised("updater", work, clock=clock, random=lambda: 1.0, signals=signals)


@pytest.mark.parametrize(
    "fault", [MemoryError(), OSError("the disk is full"), ValueError("a bug"), UnauthorisedError("401 code: why")]
)
def test_whatever_ends_the_work_it_begins_again_and_is_counted(
    clock: FakeClock, signals: Signals, fault: Exception
) -> None:
    part = supervised(clock, signals, [fault, fault])

    part.run()

    assert part.restarts == 2


def test_the_waits_grow_from_a_floor_and_have_an_end(clock: FakeClock, signals: Signals) -> None:
    part = supervised(clock, signals, [ValueError()] * 12)

    part.run()

    assert clock.waits == sorted(clock.waits)
    assert clock.waits[0] >= FLOOR_SECONDS and clock.waits[-1] <= FLOOR_SECONDS + 60


def test_after_a_long_run_the_wait_is_short_again(clock: FakeClock, signals: Signals) -> None:
    part = supervised(clock, signals, [ValueError()] * 6, lasts_seconds=WELL_AFTER_SECONDS)

    part.run()

    assert set(clock.waits) == {FLOOR_SECONDS + 0.5}


def test_a_stop_ends_the_waiting_and_starts_nothing_again(clock: FakeClock, signals: Signals) -> None:
    faults: list[Exception] = [ValueError()] * 5
    part = supervised(clock, signals, faults)
    clock.on_wait = lambda seconds: signals.request_stop()

    part.run()

    assert len(faults) == 4
