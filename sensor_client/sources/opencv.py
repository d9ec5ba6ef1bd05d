"""OpenCV, which reads videos, V4L2 devices and RTSP: loaded when one of these is opened, and no earlier."""

import os
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from sensor_client.sources.shot import SourceError
from shared.errors import DctwireError
from shared.pictures import Pixels

OPEN_SECONDS = 10.0
READ_SECONDS = 10.0


class VideoFaultError(DctwireError):
    """A video cannot be opened, or read any further."""


class Capture:
    """An open video; to be released. One that does not open says so, and gives nothing."""

    def __init__(self, address: str) -> None:
        """Open it, within OPEN_SECONDS.

        Args:
            address: a file, an rtsp address with the login in it, or a device (/dev/...).

        Raises:
            SourceError: OpenCV is not installed.
        """
        cv = _library()
        self._cv = cv
        if address.startswith("/dev/"):
            self._capture = cv.VideoCapture(address, cv.CAP_V4L2)
            return
        limits = [cv.CAP_PROP_OPEN_TIMEOUT_MSEC, int(OPEN_SECONDS * 1000)]
        limits += [cv.CAP_PROP_READ_TIMEOUT_MSEC, int(READ_SECONDS * 1000)]
        self._capture = cv.VideoCapture(address, cv.CAP_FFMPEG, limits)

    @property
    def is_open(self) -> bool:
        """Whether it could be opened."""
        return bool(self._capture.isOpened())

    @property
    def frame_count(self) -> int | None:
        """How many frames a file says that it has; None where it does not say."""
        count = int(self._capture.get(self._cv.CAP_PROP_FRAME_COUNT))
        return count if count > 0 else None

    def frames(self) -> Iterator[Pixels]:
        """The frames as OpenCV has them, until the end, a fault or READ_SECONDS without one: it does not say which.

        Raises:
            VideoFaultError: OpenCV says so.
        """
        while True:
            try:
                has_come, frame = self._capture.read()
            except self._cv.error as error:
                raise VideoFaultError(str(error)) from error
            if not has_come:
                return
            yield frame

    def release(self) -> None:
        """Close it."""
        self._capture.release()


def require_opencv() -> None:
    """Whether there is an OpenCV to open videos with.

    Raises:
        SourceError: there is none; says how it is installed.
    """
    _library()


def _library() -> Any:
    # Both write to stderr by themselves, among them addresses with the login in it.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    try:
        return import_module("cv2")
    except ImportError as error:
        raise SourceError(
            f"videos, V4L2 devices and RTSP need OpenCV ({error}): install dctwire's extras [sensor,camera] from its "
            "wheel, as docs/getting-it.md says"
        ) from error
