"""The running sensor: what works beside capture and upload reaches neither."""

import threading
from collections.abc import Callable

import pytest

from sensor_client.clock import SystemClock
from sensor_client.sensor import LAST_DELIVERY_SECONDS, LEAVE_SECONDS, Sensor
from sensor_client.signals import Signals
from sensor_client.sources import SourceOverError
from sensor_client.supervision import Supervised
from tests.sensor_client.fakes import FakeClock


class HurriedClock(SystemClock):
    """Runs so fast that a thread which does not end is left after a tenth of a second."""

    def monotonic_seconds(self) -> float:
        return super().monotonic_seconds() * 10 * LEAVE_SECONDS


class Loop:
    """Capture or upload, as the sensor knows them: something that runs."""

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run


def test_a_part_that_hangs_holds_up_neither_the_work_nor_its_end(clock: FakeClock, signals: Signals) -> None:
    let_go = threading.Event()
    done: list[str] = []

    def hang() -> None:
        let_go.wait()

    hanging = Supervised("hanging", hang, clock=clock, random=lambda: 0.0, signals=signals)
    sensor = Sensor(
        capture=Loop(lambda: done.append("captured")),
        uploader=Loop(lambda: done.append("uploaded")),
        beside=[hanging],
        signals=signals,
        clock=HurriedClock(),
    )

    sensor.run(lambda: None)
    let_go.set()

    assert sorted(done) == ["captured", "uploaded"]


@pytest.mark.parametrize("is_delivered", [True, False])
def test_what_waits_is_delivered_once_the_source_is_over_for_a_minute_at_most(
    signals: Signals, clock: FakeClock, is_delivered: bool
) -> None:
    delivered = threading.Event()
    stops: list[bool] = []

    def break_off() -> None:
        raise SourceOverError("it has ended")

    def upload() -> None:
        (delivered if is_delivered else signals.stop).wait(10)

    def watch() -> None:
        stops.append(signals.stop.is_set())
        clock.elapsed_seconds += LAST_DELIVERY_SECONDS / 2
        if is_delivered:
            delivered.set()

    sensor = Sensor(capture=Loop(break_off), uploader=Loop(upload), beside=[], signals=signals, clock=clock)
    with pytest.raises(SourceOverError):
        sensor.run(watch)

    assert stops[0] is False and signals.stop.is_set()
    assert delivered.is_set() is is_delivered and len(stops) <= 5
