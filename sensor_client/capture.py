"""Camera to spool: take a picture, encode it with the bundle of the moment, store it."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Protocol

from sensor_client.active_bundle import ActiveBundle
from sensor_client.backoff import delay_seconds
from sensor_client.clock import Clock
from sensor_client.detailer import Detailer
from sensor_client.encode_times import EncodeTimes
from sensor_client.frame_maker import FrameMaker, JpegPart, Picture, Prepared
from sensor_client.logs import get_logger
from sensor_client.pacer import Pacer
from sensor_client.policies import (
    CaptureOrders,
    HeldCaptureOrders,
    Looked,
    Reason,
    Requests,
    Sent,
    is_sampled,
    look,
    priority_of,
)
from sensor_client.prober import Prober
from sensor_client.signals import Signals
from sensor_client.sketcher import Sketcher
from sensor_client.sources import Camera, Shot, SourceOverError
from sensor_client.spool import Priority, Probe, Spool, SpoolError
from shared.bundle import Bundle
from shared.jpeg import Stream
from shared.pictures import PictureError

BUNDLE_CHECK_SECONDS = 1.0
REMEMBERED_NAMES = 10_000  # of unreadable pictures
ENCODE_ATTEMPTS = 3
COUNTS_KEPT_SECONDS = 60.0
"""Of pictures that leave nothing in the spool, counts are written with the next frame, or after this time."""

_log = get_logger(__name__)


class EncoderWitness(Protocol):
    """Where it is told how the bundle in use does, named by its target; no call waits or raises."""

    def encoded(self, target: str) -> None: ...

    def encoder_failed(self, target: str, reason: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class CaptureSettings:
    """How to take pictures, beside the orders that may change.

    Args:
        count: pictures to take, readable or not; None takes all there are.
        keeps_labels: store the camera's labels, to be told once the frame is acknowledged.
        transcodes: make frames of a JPEG camera's own coefficients, not of its pixels.
        waits_for_hours: wait for the end of quiet hours; otherwise they end the taking of pictures.
    """

    stream: Stream = Stream.ABBREVIATED
    count: int | None = None
    keeps_labels: bool = False
    transcodes: bool = True
    waits_for_hours: bool = True


@dataclass(frozen=True)
class _Encoded:
    """A picture as it was prepared for a bundle, and the frame that the bundle's encoder made of it.

    Args:
        looked: how it compares with the one sent last; None where all are sent.
    """

    prepared: Prepared
    body: bytes
    looked: Looked | None

    @property
    def reason(self) -> Reason | None:
        return None if self.looked is None else self.looked.reason

    @property
    def then(self) -> Sent | None:
        return None if self.looked is None else self.looked.then


class Capture:
    """Writes frames to the spool, as nothing else does. Takes no picture before there is a bundle.

    With a prober, some frames take a probe along.
    """

    def __init__(
        self,
        *,
        device_id: str,
        camera: Camera,
        active: ActiveBundle,
        spool: Spool,
        times: EncodeTimes,
        witness: EncoderWitness,
        prober: Prober | None,
        clock: Clock,
        random: Callable[[], float],
        signals: Signals,
        orders: HeldCaptureOrders,
        requests: Requests,
        time_floor: Callable[[], float],
        settings: CaptureSettings,
    ) -> None:
        self._device_id = device_id
        self._camera = camera
        self._active = active
        self._spool = spool
        self._times = times
        self._witness = witness
        self._prober = prober
        self._clock = clock
        self._random = random
        self._signals = signals
        self._orders = orders
        self._requests = requests
        self._pacer = Pacer(
            orders=orders,
            requests=requests,
            clock=clock,
            signals=signals,
            time_floor=time_floor,
            waits_for_hours=settings.waits_for_hours,
        )
        self._settings = settings
        self._detailer = Detailer(device_id=device_id, spool=spool, clock=clock, signals=signals)
        self._maker: FrameMaker | None = None
        self._maker_bundle: Bundle | None = None
        self._sketcher: Sketcher | None = None
        self._sent: Sent | None = None
        self._unreadable: set[str] = set()
        self._unreadable_again_in_a_row = 0
        self._untranscodable = 0
        self._counts: Counter[str] = Counter()
        self._counted_at_seconds = clock.monotonic_seconds()

    def run(self) -> None:
        """Take pictures until the camera has no more, the count is reached, or a stop is asked for.

        Raises:
            SourceOverError: the camera has no more, and was to go on.
        """
        try:
            self._await_bundle()
            with closing(self._camera.shots(self._signals.stop)) as shots:
                self._take_all(shots)
            self._keep_last_counts()
        except SourceOverError:
            self._keep_last_counts()
            self._signals.end_source(is_over=True)
            raise
        finally:
            self._signals.end_source()

    def _take_all(self, shots: Iterator[Shot]) -> None:
        """Take shots, each asked for when it is due: a live camera gives the newest picture that it has."""
        ends = [end for end in (self._settings.count, self._camera.shot_count) if end is not None]
        for _ in range(min(ends)) if ends else count():
            shot = next(shots, None) if self._pacer.await_turn() else None
            if shot is None:
                break
            self._take(shot)
            self._keep_counts()

    def _await_bundle(self) -> None:
        while not self._signals.stop.is_set():
            if self._clock.wait(self._active.is_there, BUNDLE_CHECK_SECONDS):
                return

    def _take(self, shot: Shot) -> None:
        orders, is_requested = self._orders.now, self._requests.are_waiting
        captured_at_ms = _milliseconds(self._clock.now() if shot.captured_at is None else shot.captured_at)
        if not is_requested and not is_sampled(self._device_id, captured_at_ms, orders.sampling_share):
            self._pass_over(shot, passed_over=1)
            return
        try:
            encoded = self._encoded(shot, orders, is_requested=is_requested)
        except PictureError as error:
            if self._has_set_aside(error, captured_at_ms):
                shot.settle()
            self._slow_down(error)
            return
        if encoded is not None:
            self._keep(shot, encoded, captured_at_ms, _priority(shot, encoded, orders, is_requested=is_requested))

    def _keep(self, shot: Shot, encoded: _Encoded, captured_at_ms: int, priority: Priority) -> None:
        told = self._told(shot, encoded)
        append = partial(self._spool.append, encoded.body, captured_at_ms, priority=priority, **told)
        probe = self._companion(encoded.prepared)
        if self._has_stored(lambda: self._append(append, probe)):
            shot.settle()
        self._sent = encoded.then
        if priority is Priority.REQUESTED:
            self._requests.take()
        self._signals.frames_waiting.set()

    def _companion(self, prepared: Prepared) -> Probe | None:
        probe = None if self._prober is None else self._prober.probe_of(prepared.bundle, prepared.picture)
        return probe or self._detailer.detail_of(prepared, self._orders.now)

    def _told(self, shot: Shot, encoded: _Encoded) -> dict[str, Any]:
        """What the spool is told of a frame beside its bytes."""
        bundle, settings = encoded.prepared.bundle, self._settings
        return {
            "tables_id": bundle.tables.tables_id if settings.stream is Stream.ABBREVIATED else None,
            "target": bundle.target_path,
            "label": shot.label if settings.keeps_labels else None,
        }

    def _append(self, append: Callable[..., int], probe: Probe | None) -> None:
        append = partial(append, counts=self._counts)
        try:
            append(probe=probe)
        except SpoolError:
            if probe is None:
                raise
            append()  # a probe that does not fit keeps no frame out
        self._have_kept_counts()

    def _encoded(self, shot: Shot, orders: CaptureOrders, *, is_requested: bool) -> _Encoded | None:
        """The picture as a frame; None where it shows nothing new, or the encoder fails and goes on failing.

        A failure is told to the updater, which takes a bundle back that is on trial; the picture is tried again then.
        """
        for attempt in range(ENCODE_ATTEMPTS):
            bundle = self._active.bundle
            assert bundle is not None, "run() waits for one, and none is ever taken away"
            prepared = Prepared(shot, bundle, orders.region, transcodes=self._settings.transcodes)
            self._unreadable_again_in_a_row = 0
            try:
                looked = self._looked(prepared, bundle, orders)
                if looked is not None and looked.reason is None and not is_requested:
                    self._pass_over(shot, captured=1, unchanged=1)
                    return None
                body = self._frame_of(prepared, bundle)
            except PictureError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever a bundle does to the encoder, the camera goes on
                self._note_failure(bundle, f"{type(error).__name__}: {error}")
                self._clock.wait(self._signals.stop, delay_seconds(attempt, None, self._random))
            else:
                self._witness.encoded(bundle.target_path)
                return _Encoded(prepared, body, looked)
        return None

    def _note_failure(self, bundle: Bundle, reason: str) -> None:
        self._maker = self._sketcher = None
        _log.error("encoder-failed", bundle=bundle.name, reason=reason[:500])
        self._witness.encoder_failed(bundle.target_path, reason)

    def _looked(self, prepared: Prepared, bundle: Bundle, orders: CaptureOrders) -> Looked | None:
        """How the picture compares with the one sent last, where only changes are sent."""
        if orders.on_change is None:
            return None
        if self._sketcher is None or not self._sketcher.fits(bundle):
            self._sketcher = Sketcher(bundle)
        sketch = prepared.use(self._sketcher.sketch)
        looked = look(self._sent, prepared.view, sketch, self._clock.monotonic_seconds(), orders.on_change)
        differs = None if looked.differs is None else round(looked.differs, 2)
        _log.debug("picture-compared", differs=differs, sent_for=looked.reason)
        return looked

    def _frame_of(self, prepared: Prepared, bundle: Bundle) -> bytes:
        maker = self._maker_of(bundle)

        def make(picture: Picture) -> bytes:
            with self._times.measured():
                return maker.frame(picture, self._settings.stream)

        body = prepared.use(make)
        if prepared.refusal is not None:
            self._note_untranscodable(prepared.refusal)
        elif isinstance(prepared.picture, JpegPart):
            self._counts.update(transcoded=1)
        return body

    def _note_untranscodable(self, reason: str) -> None:
        self._counts.update(untranscodable=1)
        self._untranscodable += 1
        is_power_of_two = self._untranscodable & (self._untranscodable - 1) == 0
        tell = _log.warning if is_power_of_two else _log.debug  # a camera's pictures are often all alike
        tell("jpeg-not-transcoded", reason=reason[:500], so_far=self._untranscodable)

    def _maker_of(self, bundle: Bundle) -> FrameMaker:
        if self._maker is None or bundle is not self._maker_bundle:
            self._has_stored(lambda: self._spool.keep_tables(bundle.tables.tables_id, bundle.tables.to_stream()))
            self._maker_bundle, self._maker = bundle, FrameMaker(bundle)
            _log.info("encoder-changed", bundle=bundle.name, tables=bundle.tables.tables_id)
        return self._maker

    def _pass_over(self, shot: Shot, **counts: int) -> None:
        """Leave nothing of a picture but counts."""
        self._counts.update(counts)
        shot.settle()

    def _keep_counts(self) -> None:
        """Write what was counted, where no frame has taken it along for long."""
        if not self._counts or self._clock.monotonic_seconds() - self._counted_at_seconds < COUNTS_KEPT_SECONDS:
            return
        self._has_stored(self._count)

    def _keep_last_counts(self) -> None:
        try:
            self._count()
        except SpoolError as error:
            _log.error("spool-not-written", reason=str(error))

    def _count(self) -> None:
        self._spool.count(self._counts)
        self._have_kept_counts()

    def _have_kept_counts(self) -> None:
        self._counts.clear()
        self._counted_at_seconds = self._clock.monotonic_seconds()

    def _has_set_aside(self, error: PictureError, at_ms: int) -> bool:
        _log.warning("picture-unreadable", name=error.name, reason=error.reason)
        return self._has_stored(lambda: self._spool.set_aside(error.name, error.reason, at_ms))

    def _slow_down(self, error: PictureError) -> None:
        # A picture met for the first time holds nobody up; a folder that loops over unreadable ones alone, or a
        # broken camera, must not keep a processor busy.
        if error.name not in self._unreadable and len(self._unreadable) < REMEMBERED_NAMES:
            self._unreadable.add(error.name)
            return
        self._clock.wait(self._signals.stop, delay_seconds(self._unreadable_again_in_a_row, None, self._random))
        self._unreadable_again_in_a_row += 1

    def _has_stored(self, store: Callable[[], object]) -> bool:
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
                return True
        return False


def _priority(shot: Shot, encoded: _Encoded, orders: CaptureOrders, *, is_requested: bool) -> Priority:
    return priority_of(
        is_requested=is_requested, label=shot.label, rare_labels=orders.rare_labels, reason=encoded.reason
    )


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
