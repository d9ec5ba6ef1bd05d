"""Spool to server: frames go out oldest first, singly or in batches, until each one has its answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from sensor_client.backoff import delay_seconds
from sensor_client.clock import Clock
from sensor_client.device_channel import BatchReply
from sensor_client.errors import NumberTakenError, TablesWantedError, UnauthorisedError
from sensor_client.interchange import to_interchange
from sensor_client.signals import Signals
from sensor_client.spool import NumbersExhaustedError, PendingLabel, Spool, SpooledFrame, SpoolFullError
from shared.errors import ChannelError, PeerError, RefusedError
from shared.jpeg import EOI, inspect
from shared.wire import Batch, BatchItem, FrameResult

IDLE_SECONDS = 60.0
LABELS_AT_ONCE = 64
BATCH_ENOUGH_BYTES = 1024 * 1024

_log = structlog.get_logger(__name__)


class FrameChannel(Protocol):
    """What the uploader needs of `DeviceChannel`."""

    def send_frame(self, sequence: int, body: bytes) -> FrameResult | None: ...

    def send_batch(self, batch: Batch) -> BatchReply: ...

    def send_label(self, sequence: int, label: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class UploadSettings:
    """How to upload.

    Args:
        batch: frames in one request; 1 posts each frame as a JPEG.
        linger_seconds: how long an incomplete batch waits for more frames.
        ends_when_drained: end once the source has ended and no frame waits.
    """

    batch: int = 1
    linger_seconds: float = 5.0
    ends_when_drained: bool = False


class Uploader:
    """Takes frames out of the spool, as nothing else does; a frame leaves the spool with its answer, not before."""

    def __init__(
        self,
        *,
        spool: Spool,
        channel: FrameChannel,
        clock: Clock,
        random: Callable[[], float],
        signals: Signals,
        settings: UploadSettings,
    ) -> None:
        self._spool = spool
        self._channel = channel
        self._clock = clock
        self._random = random
        self._signals = signals
        self._settings = settings
        self._waiting_first = -1
        self._waiting_since_seconds = 0.0
        self._has_renumbered = False

    def run(self) -> None:
        """Upload until a stop is asked for or, where the settings say so, until everything is delivered.

        Raises:
            UnauthorisedError: trying again cannot help; the frames stay in the spool.
        """
        attempt = 0
        while True:
            self._signals.frames_waiting.clear()  # before looking at `stop`, whose request sets this one after it
            if self._signals.stop.is_set():
                return
            source_had_ended = self._signals.source_ended.is_set()
            try:
                has_sent = self.step()
            except (ChannelError, SpoolFullError) as error:
                attempt += 1
                self._put_off(error, attempt)
                continue
            if has_sent and attempt:
                _log.info("upload-works-again", failed_attempts=attempt)
            attempt = 0
            if not has_sent and not self._rest(source_had_ended):
                return

    def step(self) -> bool:
        """Send the labels that are due, then at most one request with frames; return whether anything was sent.

        Raises:
            ChannelError: the frames stay, with their numbers.
            UnauthorisedError: the frames stay.
        """
        has_sent = self._send_labels()
        frames = self._due_frames()
        try:
            if len(frames) == 1:
                self._send_frame(frames[0])
            elif frames:
                self._send_batch(frames)
        except NumberTakenError as error:
            self._renumber(error)
        return has_sent or bool(frames)

    def _put_off(self, error: ChannelError | SpoolFullError, attempt: int) -> None:
        """Wait before the next attempt. What a full disk did not note as answered is sent again, and answered alike."""
        event, floor = "spool-not-written", None
        if isinstance(error, ChannelError):
            event, floor = "upload-failed", error.retry_after_seconds
        wait = delay_seconds(attempt - 1, floor, self._random)
        _log.warning(event, reason=str(error), attempt=attempt, retry_in_seconds=round(wait, 3))
        self._clock.wait(self._signals.stop, wait)

    def _rest(self, source_had_ended: bool) -> bool:
        if self._settings.ends_when_drained and source_had_ended:
            depth = self._spool.depth()
            if depth.frames == 0 and depth.labels == 0:
                return False
        self._clock.wait(self._signals.frames_waiting, self._seconds_to_linger())
        return True

    def _due_frames(self) -> Sequence[SpooledFrame]:
        """The frames to send now: a whole batch, or what there is once waiting for more is no use."""
        source_had_ended = self._signals.source_ended.is_set()
        oldest = self._spool.oldest(self._settings.batch, BATCH_ENOUGH_BYTES)
        frames = _leading_run(oldest)
        is_large = sum(len(frame.body) for frame in frames) >= BATCH_ENOUGH_BYTES
        is_complete = len(frames) == self._settings.batch or len(frames) < len(oldest) or is_large
        if not frames or is_complete or source_had_ended or self._has_lingered(frames[0]):
            self._waiting_first = -1
            return frames
        return []

    def _has_lingered(self, first: SpooledFrame) -> bool:
        if first.sequence != self._waiting_first:
            self._waiting_first = first.sequence
            self._waiting_since_seconds = self._clock.monotonic_seconds()
        return self._seconds_to_linger() <= 0

    def _seconds_to_linger(self) -> float:
        if self._waiting_first < 0:
            return IDLE_SECONDS
        return self._waiting_since_seconds + self._settings.linger_seconds - self._clock.monotonic_seconds()

    def _send_labels(self) -> bool:
        labels = self._spool.pending_labels(LABELS_AT_ONCE)
        sent: list[int] = []
        refused: list[int] = []
        try:
            for label in labels:
                if self._signals.stop.is_set():
                    break
                (sent if self._send_label(label) else refused).append(label.sequence)
        finally:  # one transaction for all; telling a label twice after a crash does no harm
            if sent or refused:
                self._spool.settle_labels(sent, refused)
        return bool(labels)

    def _send_label(self, label: PendingLabel) -> bool:
        try:
            self._channel.send_label(label.sequence, label.label)
        except UnauthorisedError:
            raise
        except RefusedError as error:
            _log.warning("label-refused", sequence=label.sequence, code=error.code, reason=str(error))
            return False
        return True

    def _send_frame(self, frame: SpooledFrame) -> None:
        try:
            result = self._channel.send_frame(frame.sequence, frame.body)
        except (UnauthorisedError, NumberTakenError):
            raise
        except RefusedError as error:
            self._settle_refusal(frame, error)
        else:
            self._settle_answers([frame.sequence], {} if result is None else {frame.sequence: result})

    def _send_batch(self, frames: Sequence[SpooledFrame]) -> None:
        try:
            reply = self._channel.send_batch(_batch_of(frames))
        except (UnauthorisedError, NumberTakenError):
            raise
        except RefusedError as error:
            self._take_apart(frames, error)
            return
        self._settle_answers([frame.sequence for frame in frames if frame.sequence not in reply.faults], reply.results)
        retries, taken = 0, None
        for frame in frames:
            fault = reply.faults.get(frame.sequence)
            if isinstance(fault, NumberTakenError):
                taken = fault
            elif isinstance(fault, RefusedError):
                self._settle_refusal(frame, fault)
            elif fault is not None:
                retries += 1
        if taken is not None:
            raise taken
        if retries:
            raise ChannelError(f"{retries} of {len(frames)} frames of a batch are to be sent again")

    def _take_apart(self, frames: Sequence[SpooledFrame], error: RefusedError) -> None:
        """Find out frame by frame what is wrong with a batch that was refused as a whole."""
        _log.warning("batch-refused", frames=len(frames), code=error.code, reason=str(error))
        for frame in frames:
            if isinstance(error, TablesWantedError) and frame.tables_id is not None:
                self._settle_refusal(frame, error)
            else:
                self._send_frame(frame)

    def _settle_answers(self, sequences: Sequence[int], results: Mapping[int, FrameResult]) -> None:
        self._spool.acknowledge(sequences)
        self._has_renumbered = self._has_renumbered and not sequences
        for sequence, result in results.items():
            _log.info("frame-classified", sequence=sequence, **result.model_dump(mode="json", exclude={"id", "top"}))
        _log.debug("frames-acknowledged", first=sequences[:1], frames=len(sequences))

    def _settle_refusal(self, frame: SpooledFrame, error: RefusedError) -> None:
        if isinstance(error, TablesWantedError) and self._put_tables_back(frame):
            return
        self._spool.refuse(frame.sequence, status=error.status, code=error.code, detail=str(error))
        _log.warning("frame-refused", sequence=frame.sequence, status=error.status, code=error.code, reason=str(error))

    def _renumber(self, error: NumberTakenError) -> None:
        """Number what waits anew: this device counts from a number that it has passed before.

        Raises:
            ChannelError: that was done and nothing was taken since, or no device goes on from the number that is named.
        """
        try:
            frames = self._spool.renumber(error.highest_sequence)
        except NumbersExhaustedError as exhausted:
            raise ChannelError(f"{error}; but {exhausted}") from exhausted
        self._waiting_first = -1
        _log.warning("frames-renumbered", above=error.highest_sequence, frames=frames, reason=str(error))
        if self._has_renumbered:
            raise ChannelError(f"the new numbers are taken, too: {error}")
        self._has_renumbered = True

    def _put_tables_back(self, frame: SpooledFrame) -> bool:
        """Make the frame an interchange stream, to be sent under the same number; whether that worked."""
        stream = None if frame.tables_id is None else self._spool.tables_stream(frame.tables_id)
        if stream is None:
            return False
        try:
            body = to_interchange(frame.body, stream)
        except PeerError as error:
            _log.warning("tables-not-put-back", sequence=frame.sequence, reason=str(error))
            return False
        self._spool.replace_body(frame.sequence, body)
        _log.info("tables-put-back", sequence=frame.sequence, tables=frame.tables_id)
        return True


def _leading_run(frames: Sequence[SpooledFrame]) -> Sequence[SpooledFrame]:
    """The first frames that can share a batch: those with the first one's prefix."""
    if len(frames) < 2:
        return frames
    prefix = _prefix(frames[0].body)
    for index, frame in enumerate(frames):
        if _prefix(frame.body) != prefix:
            return frames[:index]
    return frames


def _batch_of(frames: Sequence[SpooledFrame]) -> Batch:
    prefix = _prefix(frames[0].body)
    items = (BatchItem(frame.sequence, frame.captured_at_ms, frame.body[len(prefix) : -len(EOI)]) for frame in frames)
    return Batch(prefix, tuple(items))


def _prefix(body: bytes) -> bytes:
    return body[: len(body) - len(EOI) - inspect(body).scan_bytes]
