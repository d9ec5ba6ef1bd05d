"""Camera to spool: take a picture, encode it with the bundle of the moment, store it."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import structlog

from sensor_client.active_bundle import ActiveBundle
from sensor_client.backoff import delay_seconds
from sensor_client.clock import Clock
from sensor_client.signals import Signals
from sensor_client.sources import Camera, Shot
from sensor_client.spool import Spool, SpoolError
from shared.bundle import Bundle
from shared.jpeg import Encoder, Stream
from shared.pictures import PictureError, fitted

BUNDLE_CHECK_SECONDS = 1.0
REMEMBERED_NAMES = 10_000  # of unreadable pictures

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class CaptureSettings:
    """How to take pictures.

    Args:
        frames_per_second: None takes pictures as fast as they can be encoded.
        count: pictures to take, readable or not; None takes all there are.
        keeps_labels: store the camera's labels, to be told once the frame is acknowledged.
    """

    stream: Stream = Stream.ABBREVIATED
    frames_per_second: float | None = None
    count: int | None = None
    keeps_labels: bool = False


class Capture:
    """Writes frames to the spool, as nothing else does. Takes no picture before there is a bundle."""

    def __init__(
        self,
        *,
        camera: Camera,
        active: ActiveBundle,
        spool: Spool,
        clock: Clock,
        random: Callable[[], float],
        signals: Signals,
        settings: CaptureSettings,
    ) -> None:
        self._camera = camera
        self._active = active
        self._spool = spool
        self._clock = clock
        self._random = random
        self._signals = signals
        self._settings = settings
        self._bundle: Bundle | None = None
        self._encoder: Encoder | None = None
        self._unreadable: set[str] = set()
        self._unreadable_again_in_a_row = 0
        self._due_seconds = 0.0

    def run(self) -> None:
        """Take pictures until the camera has no more, the count is reached, or a stop is asked for."""
        try:
            self._await_bundle()
            self._due_seconds = self._clock.monotonic_seconds()
            for shot in islice(self._camera.shots(), self._settings.count):
                self._keep_pace()
                if self._signals.stop.is_set():
                    return
                self._take(shot)
        finally:
            self._signals.end_source()

    def _await_bundle(self) -> None:
        while not self._signals.stop.is_set():
            if self._clock.wait(self._active.is_there, BUNDLE_CHECK_SECONDS):
                return

    def _keep_pace(self) -> None:
        if self._settings.frames_per_second is None:
            return
        self._clock.wait(self._signals.stop, max(0.0, self._due_seconds - self._clock.monotonic_seconds()))
        period_seconds = 1 / self._settings.frames_per_second
        self._due_seconds += period_seconds
        reached_seconds = self._clock.monotonic_seconds()
        if self._due_seconds < reached_seconds:  # a camera that fell behind goes on at its rate; no burst to catch up
            self._due_seconds = reached_seconds + period_seconds

    def _take(self, shot: Shot) -> None:
        bundle, encoder = self._bundle_of_the_moment()
        captured_at_ms = _milliseconds(self._clock.now() if shot.captured_at is None else shot.captured_at)
        try:
            size = (bundle.input.width, bundle.input.height)
            pixels = fitted(shot.pixels(), bundle.tables.sampling, size, bundle.fit)
        except PictureError as error:
            self._set_aside(error, captured_at_ms)
            return
        self._unreadable_again_in_a_row = 0
        body = encoder.encode(pixels, self._settings.stream)
        tables_id = bundle.tables.tables_id if self._settings.stream is Stream.ABBREVIATED else None
        label = shot.label if self._settings.keeps_labels else None
        self._store(lambda: self._spool.append(body, captured_at_ms, tables_id=tables_id, label=label))
        self._signals.frames_waiting.set()

    def _bundle_of_the_moment(self) -> tuple[Bundle, Encoder]:
        bundle = self._active.bundle
        assert bundle is not None, "run() waits for one, and none is ever taken away"
        if self._encoder is None or bundle is not self._bundle:
            self._store(lambda: self._spool.keep_tables(bundle.tables.tables_id, bundle.tables.to_stream()))
            self._bundle, self._encoder = bundle, bundle.encoding.encoder()
            _log.info("encoder-changed", bundle=bundle.name, tables=bundle.tables.tables_id)
        return bundle, self._encoder

    def _set_aside(self, error: PictureError, at_ms: int) -> None:
        _log.warning("picture-unreadable", name=error.name, reason=error.reason)
        self._store(lambda: self._spool.set_aside(error.name, error.reason, at_ms))
        # A picture met for the first time holds nobody up; a folder that loops over unreadable ones alone, or a
        # broken camera, must not keep a processor busy.
        if error.name not in self._unreadable and len(self._unreadable) < REMEMBERED_NAMES:
            self._unreadable.add(error.name)
            return
        self._clock.wait(self._signals.stop, delay_seconds(self._unreadable_again_in_a_row, None, self._random))
        self._unreadable_again_in_a_row += 1

    def _store(self, store: Callable[[], object]) -> None:
        """Write to the spool, again and again while the disk is full: uploading makes room. A stop gives up."""
        attempt = 0
        while not self._signals.stop.is_set():
            try:
                store()
            except SpoolError as error:
                _log.error("spool-not-written", reason=str(error))
                self._clock.wait(self._signals.stop, delay_seconds(attempt, None, self._random))
                attempt += 1
            else:
                if attempt:
                    _log.info("spool-written-again", failed_attempts=attempt)
                return


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
