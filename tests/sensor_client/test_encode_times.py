"""How long encoding takes here."""

import pytest

from sensor_client.encode_times import WINDOW_FRAMES, EncodeTimes
from tests.sensor_client.fakes import FakeClock


def encode(times: EncodeTimes, clock: FakeClock, seconds: float) -> None:
    with times.measured():
        clock.elapsed_seconds += seconds


def test_the_median_is_of_the_last_frames_alone(clock: FakeClock) -> None:
    times = EncodeTimes(clock)
    assert times.median_seconds() is None

    for _ in range(10 * WINDOW_FRAMES):
        encode(times, clock, 9.0)
    for _ in range(WINDOW_FRAMES):
        encode(times, clock, 0.25)

    assert times.median_seconds() == 0.25


def test_an_encoding_that_fails_is_not_measured(clock: FakeClock) -> None:
    times = EncodeTimes(clock)

    with pytest.raises(ValueError, match="broken"), times.measured():
        raise ValueError("broken")

    assert times.median_seconds() is None
