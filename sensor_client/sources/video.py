"""Videos: files with an end, and live ones, from V4L2 devices and RTSP cameras."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from sensor_client.backoff import delay_seconds
from sensor_client.logs import get_logger
from sensor_client.sources.camera_login import read_login
from sensor_client.sources.handover import Handover
from sensor_client.sources.http_address import refuse_login
from sensor_client.sources.opencv import Capture, VideoFaultError, require_opencv
from sensor_client.sources.opening import SourceSettings, SourceSurroundings
from sensor_client.sources.pixel_shot import PixelShot
from sensor_client.sources.shot import Shot, SourceError
from shared.pictures import Pixels, shown

SUFFIXES = frozenset(
    [
        ".264",
        ".265",
        ".avi",
        ".h264",
        ".hevc",
        ".m4v",
        ".mjpeg",
        ".mjpg",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".ts",
        ".webm",
    ]
)
FLOOR_SECONDS = 1.0
"""Between two attempts to open a live video, at least."""

_log = get_logger(__name__)


class Video(Protocol):
    """What is opened to read frames."""

    @property
    def is_open(self) -> bool: ...

    @property
    def frame_count(self) -> int | None: ...

    def frames(self) -> Iterator[Pixels]: ...

    def release(self) -> None: ...


class VideoFile:
    """Every frame of a file in turn, and then from the first one again where it loops."""

    shot_count = None

    def __init__(self, path: Path, *, is_looping: bool) -> None:
        """Open it once, to know whether there is anything in it.

        Raises:
            SourceError: OpenCV is not installed, or reads no frame of it.
        """
        self._path = path
        self._is_looping = is_looping
        with closing(self._frames()) as frames:
            if next(frames, None) is None:
                raise SourceError(f"{shown(path)}: no frame of it can be read; is it a video?")

    def shots(self, stop: threading.Event) -> Generator[Shot, None, None]:
        """See `Camera`. Reading from a dead network drive may hang; a stop leaves it behind."""
        while not stop.is_set():
            count = 0
            for frame in Handover(self._frames, keeps_newest=False, dropped=lambda: None).taken(stop):
                count += 1
                yield PixelShot(frame)
            if not self._is_looping or not count:
                return

    def _frames(self) -> Generator[Pixels, None, None]:
        video = Capture(str(self._path))
        try:
            promised, given = video.frame_count, 0
            for frame in video.frames() if video.is_open else ():
                given += 1
                yield frame
        except VideoFaultError as fault:
            _log.warning("video-damaged", name=shown(self._path), reason=str(fault))
        else:
            if promised is not None and given < promised:
                _log.warning("video-ends-early", name=shown(self._path), frames=given, promised=promised)
        finally:
            video.release()


class LiveVideo:
    """The newest frame of a video that goes on, which is opened again and again where it is lost."""

    shot_count = None

    def __init__(self, name: str, open_video: Callable[[], Video], around: SourceSurroundings) -> None:
        """Nothing is opened yet.

        Args:
            name: what the log calls it: no login in it.
        """
        self._name = name
        self._open = open_video
        self._clock = around.clock
        self._random = around.random
        self._health = around.health

    def shots(self, stop: threading.Event) -> Generator[Shot, None, None]:
        """See `Camera`."""
        faults = 0
        while not stop.is_set():
            handover = Handover(self._frames, keeps_newest=True, dropped=self._health.drop)
            try:
                with closing(handover.taken(stop)) as shots:
                    for shot in shots:
                        faults = 0
                        yield shot
            except (VideoFaultError, SourceError) as fault:
                self._health.lost(f"{self._name}: {fault}")
                self._clock.wait(stop, max(FLOOR_SECONDS, delay_seconds(faults, None, self._random)))
                faults += 1

    def _frames(self) -> Iterator[PixelShot]:
        video = self._open()
        try:
            if not video.is_open:
                raise VideoFaultError("cannot be opened: is it there, is the address right, does it want a login?")
            for frame in video.frames():
                yield PixelShot(frame, captured_at=self._clock.now())
            raise VideoFaultError("gives no more frames")
        finally:
            video.release()


def open_video_file(address: str, settings: SourceSettings, _: SourceSurroundings) -> VideoFile | None:
    """A camera for a video file; None for another address.

    Raises:
        SourceError: as `VideoFile`.
    """
    path = Path(address)
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return None
    return VideoFile(path, is_looping=settings.is_looping)


def open_live_video(address: str, settings: SourceSettings, around: SourceSurroundings) -> LiveVideo | None:
    """A camera for a V4L2 device (/dev/video0) or an rtsp address, which need not be there yet; None for another one.

    Raises:
        SourceError: OpenCV is not installed, the address holds a login, or the login's file cannot be used.
    """
    scheme, colon, rest = address.partition("://")
    if not address.startswith("/dev/video") and scheme.lower() not in ("rtsp", "rtsps"):
        return None
    opened = address
    if colon:
        refuse_login(address)
        login = None if settings.login is None else read_login(settings.login)
        if login is not None:
            opened = f"{scheme}://{quote(login.user, '')}:{quote(login.password, '')}@{rest}"
    require_opencv()
    return LiveVideo(address.partition("?")[0], lambda: Capture(opened), around)
