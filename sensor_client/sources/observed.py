"""A camera that is looked after: its health is told, a live one is glanced at now and then, and started anew."""

import threading
from collections.abc import Generator
from contextlib import closing
from zlib import crc32

from sensor_client.backoff import delay_seconds
from sensor_client.logs import get_logger
from sensor_client.sources.opening import SourceSurroundings
from sensor_client.sources.shot import Camera, Shot, SourceOverError
from sensor_client.sources.stillness import Glance, Seen, is_blank
from shared.pictures import PictureError

GLANCE_SECONDS = 15.0
"""Between two glances, at least: a glance decodes the picture."""
OVER = (
    "standard input has ended: see why the camera's program did, and start both again, as a service manager does by "
    "itself. Where that end is in order, add --exit-when-drained"
)
FAILURE_FLOOR_SECONDS = 2.0
"""Between two beginnings, at least."""

_log = get_logger(__name__)


class ObservedCamera:
    """Gives a camera's shots, and tells `health` of each, of the end, and of pictures that do not change. A live camera
    that fails in a way that nobody foresaw is begun anew: that must not end the program."""

    def __init__(self, camera: Camera, around: SourceSurroundings, *, is_live: bool, may_end: bool = True) -> None:
        """Args:
        may_end: whether its end is in order.
        is_live: whether pictures that do not change say that something is wrong.
        """
        self._camera = camera
        self._health = around.health
        self._clock = around.clock
        self._random = around.random
        self._is_live = is_live
        self._may_end = may_end
        self._seen = Seen()

    @property
    def shot_count(self) -> int | None:
        """See `Camera`."""
        return self._camera.shot_count

    def shots(self, stop: threading.Event) -> Generator[Shot, None, None]:
        """See `Camera`.

        Raises:
            SourceOverError: it has ended, and was to go on.
        """
        failures = 0
        while not stop.is_set():
            try:
                yield from self._observed(stop)
            except Exception as error:
                if not self._is_live:
                    raise
                _log.error("source-failed", reason=f"{type(error).__name__}: {error}", exc_info=error)
                self._health.lost(f"it failed ({type(error).__name__})")
                self._clock.wait(stop, FAILURE_FLOOR_SECONDS + delay_seconds(failures, None, self._random))
                failures += 1
            else:
                break
        if stop.is_set():
            return
        if self._may_end:
            self._health.ended()
            return
        self._health.broke_off(OVER)
        raise SourceOverError(OVER)

    def _observed(self, stop: threading.Event) -> Generator[Shot, None, None]:
        with closing(self._camera.shots(stop)) as shots:
            for shot in shots:
                self._health.came()
                if self._is_live:
                    self._glance(shot)
                yield shot

    def _glance(self, shot: Shot) -> None:
        now_seconds = self._clock.monotonic_seconds()
        last = self._seen.last
        if last is not None and now_seconds - last.at_seconds < GLANCE_SECONDS:
            return
        try:
            stream, pixels = shot.jpeg(), shot.pixels()
        except PictureError:
            return  # told where it is encoded
        digest = crc32(pixels.tobytes() if stream is None else stream)
        self._seen = self._seen.after(Glance(now_seconds, digest, is_blank(pixels)))
        self._health.is_still(self._seen.stillness)
