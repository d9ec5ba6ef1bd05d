"""Videos: files that OpenCV itself has written, and live ones that come and go."""

import threading
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sensor_client.sources import Camera, Condition, SourceError, SourceSettings, SourceSurroundings, open_source
from sensor_client.sources.observed import ObservedCamera
from sensor_client.sources.video import FLOOR_SECONDS, LiveVideo
from shared.pictures import Pixels
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.sources.rtsp_camera import HEIGHT, WIDTH, RtspCamera


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """20 frames, each brighter than the one before."""
    pytest.importorskip("cv2", reason="needs the extra [camera]")
    cv2 = import_module("cv2")
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 5, (320, 240))
    noise = np.random.default_rng(1).integers(0, 40, (240, 320, 3), dtype=np.uint8)
    for index in range(20):
        writer.write(noise + np.uint8(10 * index))
    writer.release()
    return path


def camera_of(path: Path, around: SourceSurroundings, *, is_looping: bool = False) -> Camera:
    return open_source(str(path), SourceSettings(is_looping=is_looping), around)


def test_a_file_gives_every_frame_in_turn_and_ends(clip: Path, around: SourceSurroundings) -> None:
    shots = list(camera_of(clip, around).shots(threading.Event()))

    brightness = [float(shot.pixels().mean()) for shot in shots]
    assert len(shots) == 20 and brightness == sorted(brightness) and shots[0].pixels().shape == (240, 320, 3)
    assert {(shot.jpeg(), shot.captured_at) for shot in shots} == {(None, None)}
    assert around.health.report.condition is Condition.ENDED


def test_a_file_begins_again_where_it_loops(clip: Path, around: SourceSurroundings) -> None:
    stop = threading.Event()
    count = 0
    for _ in camera_of(clip, around, is_looping=True).shots(stop):
        count += 1
        if count == 45:
            stop.set()

    assert count == 45


def test_a_file_that_is_cut_off_gives_what_it_has_and_says_so(
    clip: Path, around: SourceSurroundings, lines: list[Mapping[str, Any]]
) -> None:
    content = clip.read_bytes()
    clip.write_bytes(content[: len(content) * 6 // 10])

    shots = list(camera_of(clip, around).shots(threading.Event()))

    assert 5 < len(shots) < 20
    early = [line for line in lines if line["event"] == "video-ends-early"]
    assert [(line["frames"], line["promised"]) for line in early] == [(len(shots), 20)]


@pytest.mark.parametrize("content", [b"", b"rubbish" * 1000])
def test_a_file_that_is_no_video_is_refused_at_once(tmp_path: Path, around: SourceSurroundings, content: bytes) -> None:
    pytest.importorskip("cv2", reason="needs the extra [camera]")
    (tmp_path / "a.mp4").write_bytes(content)

    with pytest.raises(SourceError, match="is it a video"):
        camera_of(tmp_path / "a.mp4", around)


class Simulated:
    """A live video that gives so many frames, and is not there where there are none."""

    frame_count = None

    def __init__(self, frames: int) -> None:
        self.is_open = frames > 0
        self._frames = frames
        self.is_released = False

    def frames(self) -> Iterator[Pixels]:
        for value in range(self._frames):
            yield np.full((4, 4, 3), value % 256, np.uint8)

    def release(self) -> None:
        self.is_released = True


def live(around: SourceSurroundings, *videos: Simulated) -> Camera:
    waiting = iter(videos)
    return ObservedCamera(LiveVideo("rtsp://camera/1", lambda: next(waiting), around), around, is_live=True)


def test_a_live_video_that_is_lost_is_opened_again_after_a_pause_and_told_once(
    around: SourceSurroundings, clock: FakeClock, lines: list[Mapping[str, Any]]
) -> None:
    videos = [Simulated(1), Simulated(0), Simulated(0), Simulated(0), Simulated(1)]
    shots = live(around, *videos).shots(threading.Event())

    assert [int(next(shots).pixels()[0, 0, 0]) for _ in range(2)] == [0, 0]
    shots.close()

    assert [line["event"] for line in lines][::2] == ["source-lost", "source-back"]
    assert clock.waits == [FLOOR_SECONDS, FLOOR_SECONDS, FLOOR_SECONDS, 2.0] and around.health.report.losses == 1
    assert all(video.is_released for video in videos[:4])


def test_the_newest_frame_of_a_live_video_wins(around: SourceSurroundings) -> None:
    begun, given, ended = (threading.Event() for _ in range(3))

    class Fast(Simulated):
        def frames(self) -> Iterator[Pixels]:
            yield np.zeros((4, 4, 3), np.uint8)
            begun.wait(10.0)
            yield from super().frames()
            given.set()
            ended.wait(10.0)

    shots = live(around, Fast(500)).shots(threading.Event())
    values = [int(next(shots).pixels()[0, 0, 0])]
    begun.set()
    assert given.wait(10.0)
    values.append(int(next(shots).pixels()[0, 0, 0]))
    ended.set()
    shots.close()

    assert values == [0, 499 % 256] and around.health.report.dropped == 499


def test_a_device_that_is_not_there_is_waited_for_and_a_login_in_an_address_is_refused(
    around: SourceSurroundings, clock: FakeClock
) -> None:
    pytest.importorskip("cv2", reason="needs the extra [camera]")
    stop = threading.Event()
    clock.on_wait = lambda _: stop.set()

    assert list(open_source("/dev/video99", SourceSettings(), around).shots(stop)) == []

    assert (around.health.report.fault or "").startswith("/dev/video99: cannot be opened")
    with pytest.raises(SourceError, match="--source-login") as caught:
        open_source("rtsp://admin:secret@camera/1", SourceSettings(), around)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("login", [None, "admin:se/cr:et"])
def test_an_rtsp_camera_is_played_and_played_again_after_it_hung_up(
    tmp_path: Path, around: SourceSurroundings, login: str | None
) -> None:
    pytest.importorskip("cv2", reason="needs the extra [camera]")
    file = tmp_path / "login"
    file.write_text(f"{login}\n")
    file.chmod(0o600)

    with RtspCamera(login=login) as camera:
        settings = SourceSettings(login=file if login else None)
        shots = open_source(camera.url, settings, around).shots(threading.Event())
        first = next(shots)
        camera.hang_up()
        while camera.plays < 2:
            next(shots)
        shots.close()

    red = first.pixels()[8, 8].astype(int)
    assert first.pixels().shape == (HEIGHT, WIDTH, 3) and red[0] > 150 and red[2] < 80
    assert first.captured_at is not None and "se/cr" not in str(around.health.report)


def test_an_rtsp_camera_that_refuses_the_login_is_told(around: SourceSurroundings, clock: FakeClock) -> None:
    pytest.importorskip("cv2", reason="needs the extra [camera]")
    stop = threading.Event()
    clock.on_wait = lambda _: stop.set()
    with RtspCamera(login="admin:secret") as camera:
        assert list(open_source(camera.url, SourceSettings(), around).shots(stop)) == []

    assert "does it want a login" in (around.health.report.fault or "")
