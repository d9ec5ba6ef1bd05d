"""A camera whose health is told."""

from collections.abc import Generator, Mapping
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from sensor_client.sources import Condition, Shot, SourceSurroundings, Stillness
from sensor_client.sources.folder import FolderCamera
from sensor_client.sources.observed import FAILURE_FLOOR_SECONDS, ObservedCamera
from sensor_client.sources.read_shot import ReadShot
from shared.pictures import Pixels
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.pictures import write_pictures
from tests.sensor_client.sources.test_splitting import JPEGS, picture


def test_each_shot_counts_and_the_end_is_no_loss(tmp_path: Path, around: SourceSurroundings) -> None:
    camera = ObservedCamera(FolderCamera(write_pictures(tmp_path, 3), is_looping=False), around, is_live=False)

    counts = [around.health.report.pictures for _ in camera.shots(Event())]

    assert camera.shot_count == 3 and counts == [1, 2, 3]
    assert (around.health.report.condition, around.health.report.losses) == (Condition.ENDED, 0)


def test_a_stopped_source_has_not_ended(tmp_path: Path, around: SourceSurroundings) -> None:
    stop = Event()
    camera = ObservedCamera(FolderCamera(write_pictures(tmp_path, 3), is_looping=True), around, is_live=False)

    for _ in camera.shots(stop):
        stop.set()

    assert (around.health.report.condition, around.health.report.pictures) == (Condition.GIVING, 3)


class Pictures:
    """A live camera that gives these files, one every ten seconds."""

    shot_count = None

    def __init__(self, clock: FakeClock, *files: bytes) -> None:
        self._clock = clock
        self._files = files

    def shots(self, stop: Event) -> Generator[Shot, None, None]:
        for file in self._files:
            yield ReadShot(file, "camera")
            self._clock.elapsed_seconds += 10


def test_a_live_camera_that_freezes_is_told_once_and_again_when_it_is_over(
    around: SourceSurroundings, clock: FakeClock, lines: list[Mapping[str, Any]]
) -> None:
    camera = Pictures(clock, *[JPEGS[0]] * 40, JPEGS[1], JPEGS[2])

    seen = [around.health.report.stillness for _ in ObservedCamera(camera, around, is_live=True).shots(Event())]

    assert seen[:30] == [None] * 30 and seen[32:40] == [Stillness.FROZEN] * 8 and seen[-1] is None
    assert [line["event"] for line in lines] == ["picture-does-not-change", "picture-changes-again", "source-ended"]


@pytest.mark.parametrize("is_live", [True, False])
def test_a_black_picture_is_told_of_a_live_camera_alone(
    around: SourceSurroundings, clock: FakeClock, is_live: bool
) -> None:
    black = picture("PNG", lightness=0.0)

    for _ in ObservedCamera(Pictures(clock, *[black] * 12), around, is_live=is_live).shots(Event()):
        pass

    assert around.health.report.stillness is (Stillness.BLANK if is_live else None)


def test_a_glance_is_taken_seldom_since_it_decodes_the_picture(around: SourceSurroundings, clock: FakeClock) -> None:
    decoded: list[float] = []

    class Counted(ReadShot):
        def pixels(self) -> Pixels:
            decoded.append(clock.elapsed_seconds)
            return super().pixels()

    class Counting(Pictures):
        def shots(self, stop: Event) -> Generator[Shot, None, None]:
            for file in self._files:
                yield Counted(file, "camera")
                clock.elapsed_seconds += 1

    for _ in ObservedCamera(Counting(clock, *[JPEGS[0]] * 46), around, is_live=True).shots(Event()):
        pass

    assert [at - decoded[0] for at in decoded] == [0, 15, 30, 45]


def test_a_picture_that_cannot_be_read_is_no_glance(around: SourceSurroundings, clock: FakeClock) -> None:
    camera = Pictures(clock, *[b"rubbish"] * 100)

    assert len(list(ObservedCamera(camera, around, is_live=True).shots(Event()))) == 100
    assert around.health.report.stillness is None


class Failing(Pictures):
    """A camera that fails behind its last picture, twice, in a way that nobody foresaw."""

    def __init__(self, clock: FakeClock, *files: bytes) -> None:
        super().__init__(clock, *files)
        self._failures = 0

    def shots(self, stop: Event) -> Generator[Shot, None, None]:
        yield from super().shots(stop)
        self._failures += 1
        if self._failures < 3:
            raise ZeroDivisionError("a bug")


def test_a_live_camera_that_fails_as_nobody_foresaw_is_begun_anew_after_a_pause(
    around: SourceSurroundings, clock: FakeClock, lines: list[Mapping[str, Any]]
) -> None:
    shots = list(ObservedCamera(Failing(clock, JPEGS[0]), around, is_live=True).shots(Event()))

    assert len(shots) == 3 and clock.waits == [FAILURE_FLOOR_SECONDS + 0.25, FAILURE_FLOOR_SECONDS + 0.5]
    assert [line["event"] for line in lines].count("source-failed") == 2
    assert around.health.report.losses == 2
    with pytest.raises(ZeroDivisionError):
        list(ObservedCamera(Failing(clock, JPEGS[0]), around, is_live=False).shots(Event()))
