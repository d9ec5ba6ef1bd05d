"""Which frames are watched: so many a second, versions alike, and one of a device now and then."""

import pytest

from cloud_server.quality.choosing import Choosing


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def wanted(choosing: Choosing, clock: Clock, version: str, seconds: float, a_second: int, frames: int = 1) -> int:
    """How many frames of how many devices are wanted, when so many micro-batches a second come."""
    chosen = 0
    for number in range(int(seconds * a_second)):
        clock.seconds += 1 / a_second
        devices = range(number * frames, (number + 1) * frames)
        chosen += frames * choosing.wants(version, devices)
    return chosen


@pytest.mark.parametrize("frames", [1, 64])
def test_a_busy_server_looks_at_so_many_frames_a_second(frames: int) -> None:
    clock = Clock()
    choosing = Choosing(100, 0, clock)
    assert wanted(choosing, clock, "digits/1", 20, 500, frames) == pytest.approx(20 * 100, rel=0.1)


def test_a_quiet_server_looks_at_every_frame() -> None:
    clock = Clock()
    assert wanted(Choosing(100, 0, clock), clock, "digits/1", 20, 10) == 200


def test_after_a_pause_so_many_frames_are_wanted_at_once_as_one_second_has() -> None:
    clock = Clock()
    choosing = Choosing(100, 0, clock)
    assert choosing.wants("digits/1", [0])
    clock.seconds += 60
    assert sum(choosing.wants("digits/1", [number]) for number in range(1_000)) == pytest.approx(100, abs=2)


def test_at_no_frames_a_second_nothing_is_looked_at() -> None:
    clock = Clock()
    assert wanted(Choosing(0, 0, clock), clock, "digits/1", 5, 10) == 0


def test_versions_share_the_frames_a_second_and_a_rare_one_has_as_large_a_part() -> None:
    clock = Clock()
    choosing = Choosing(100, 0, clock)
    choosing.wants("digits/1", [1])
    choosing.wants("digits/2", [1])
    rare = busy = 0
    for number in range(20 * 1_000):
        clock.seconds += 0.001
        busy += choosing.wants("digits/1", [number])
        if number % 20 == 0:
            rare += choosing.wants("digits/2", [number])
    assert busy == pytest.approx(20 * 50, rel=0.1)
    assert rare == pytest.approx(20 * 50, rel=0.1)
    choosing.forget_version("digits/2")
    assert wanted(choosing, clock, "digits/1", 20, 1_000) == pytest.approx(20 * 100, rel=0.1)


def test_a_device_counts_once_in_a_while() -> None:
    clock = Clock()
    choosing = Choosing(100, 10, clock)
    assert [choosing.takes(device) for device in (1, 2, 1)] == [True, True, False]
    clock.seconds += 9.9
    assert not choosing.takes(1)
    clock.seconds += 0.2
    assert choosing.takes(1)


def test_micro_batches_of_devices_that_were_just_heard_cost_nothing() -> None:
    clock = Clock()
    choosing = Choosing(100, 10, clock)
    assert choosing.wants("digits/1", [1, 2])
    assert choosing.takes(1)
    assert choosing.wants("digits/1", [1, 2])
    assert choosing.takes(2)
    assert not choosing.wants("digits/1", [1, 2])
    assert choosing.wants("digits/1", [1, 3])
    clock.seconds += 10.1
    assert choosing.wants("digits/1", [1, 2])


def test_frames_of_devices_that_were_just_heard_take_nothing_off_what_others_are_watched_for() -> None:
    """Of each micro-batch most frames are of one loud device."""
    clock = Clock()
    choosing = Choosing(100, 3_600, clock)
    watched = 0
    for number in range(20 * 50):
        clock.seconds += 1 / 50
        devices = [-1, *[-1] * 30, number]
        if choosing.wants("digits/1", devices):
            watched += sum(choosing.takes(device) for device in devices)
    assert watched == 20 * 50 + 1
