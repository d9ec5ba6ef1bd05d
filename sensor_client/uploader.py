"""Spool to server: frames go out oldest first, singly or in batches, until each one has its answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sensor_client.backoff import RetryBudget, delay_seconds
from sensor_client.batching import batch_of
from sensor_client.clock import Clock
from sensor_client.companion_sender import CompanionSender
from sensor_client.device_channel import BatchChannel, FrameReply
from sensor_client.due_frames import Allowance, DueFrames
from sensor_client.errors import (
    BodyTooLargeError,
    NobodyReadItError,
    NumberTakenError,
    NumberTooHighError,
    TablesWantedError,
)
from sensor_client.held_back import HeldBack
from sensor_client.interchange import put_tables_back
from sensor_client.line_health import LineHealth
from sensor_client.logs import get_logger
from sensor_client.signals import Signals
from sensor_client.spool import NotTooFarError, NumbersExhaustedError, Spool, SpooledFrame, SpoolError
from sensor_client.upload_orders import HeldUploadOrders, UploadOrders
from shared.errors import ChannelError, RefusedError
from shared.wire import SEQUENCE_STEP_MAX, FrameResult, Match

PASSED_OVER_SECONDS = 3600.0
"""How long a frame that a proxy finds too large is passed over, so that those behind it go on."""
RENUMBERED_FLOOR_SECONDS = 60.0
"""Between two renumberings, at least: each writes all frames that wait anew, and a server may ask for it endlessly."""
PASSED_MAX = SEQUENCE_STEP_MAX // 2
"""So many numbers are passed over at most, by chance, from the second renumbering of a run on: whoever else counts with
this device's name has the next ones."""

_log = get_logger(__name__)


class FrameChannel(BatchChannel, Protocol):
    """What the uploader needs of `DeviceChannel`."""

    def send_frame(self, sequence: int, body: bytes) -> FrameReply: ...


class BundleWitness(Protocol):
    """Where it is told how bundles do, each named by its target; no call waits or raises."""

    def proved(self, target: str, frames: int) -> None: ...

    def refused(self, target: str, frames: int) -> None: ...


@dataclass(frozen=True, kw_only=True)
class UploadSettings:
    """How to upload.

    Args:
        orders: those that hold at first.
        ends_when_drained: end once the source has ended and no frame waits.
    """

    orders: UploadOrders = field(default_factory=UploadOrders)
    ends_when_drained: bool = False


class Uploader:
    """Takes frames out of the spool, as nothing else does; a frame leaves the spool with its answer, not before.

    Once those that are due are sent, companions have their turn.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        channel: FrameChannel,
        companions: CompanionSender,
        witness: BundleWitness,
        allowance: Allowance,
        health: LineHealth,
        clock: Clock,
        random: Callable[[], float],
        signals: Signals,
        orders: HeldUploadOrders,
        ends_when_drained: bool = False,
    ) -> None:
        """Name the parts.

        Args:
            ends_when_drained: end once the source has ended and no frame waits.
        """
        self._spool = spool
        self._channel = channel
        self._companions = companions
        self._witness = witness
        self._health = health
        self._clock = clock
        self._random = random
        self._signals = signals
        self._ends_when_drained = ends_when_drained
        self._renumbered_until_seconds = 0.0
        self._held_back = HeldBack()
        self._due = DueFrames(
            spool=spool, allowance=allowance, orders=orders, held_back=self._held_back, clock=clock, signals=signals
        )
        self._retries = RetryBudget()

    def run(self) -> None:
        """Upload until a stop is asked for or, where the settings say so or the source is over, until all is there."""
        attempt = 0
        while self._signals.may_go_on(self._signals.frames_waiting):
            source_had_ended = self._signals.source_ended.is_set()
            try:
                has_sent = self.step()
            except (ChannelError, SpoolError) as error:
                attempt += 1
                self._put_off(error, attempt)
                continue
            if has_sent:
                self._health.works()
            if has_sent and attempt:
                _log.info("upload-works-again", failed_attempts=attempt)
            attempt = 0
            self._retries = self._retries.answered() if has_sent else self._retries
            if not has_sent and not self._rest(source_had_ended):
                return

    def step(self) -> bool:
        """Send at most one request with frames, and one with companions; return whether there was anything to send.

        Raises:
            ChannelError: the frames stay, with their numbers.
            SpoolError: the frames stay, and are sent once more, which does no harm.
        """
        frames = self._due.next()
        try:
            if len(frames) == 1:
                self._send_frame(frames[0])
            elif frames:
                self._send_batch(frames)
        except NumberTakenError as error:
            self._renumber(error)
        return self._companions.step(self._renumber) or bool(frames)

    def _put_off(self, error: ChannelError | SpoolError, attempt: int) -> None:
        """Wait before the next attempt. What the disk did not note as answered is sent again, and answered alike."""
        event, floor = "spool-not-written", None
        if isinstance(error, ChannelError):
            event, floor = "upload-failed", error.retry_after_seconds
            self._health.failed(str(error))
        wait = max(delay_seconds(attempt - 1, floor, self._random), self._retries.floor_seconds)
        self._retries = self._retries.failed()
        _log.warning(event, reason=str(error), attempt=attempt, retry_in_seconds=round(wait, 3))
        self._clock.wait(self._signals.stop, wait)

    def _rest(self, source_had_ended: bool) -> bool:
        if (self._ends_when_drained or self._signals.is_source_over) and source_had_ended:
            depth = self._spool.depth()
            if depth.frames == 0 and depth.labels == 0 and depth.probes == 0:
                return False
        wait_seconds = min(self._due.seconds_to_wait(), self._companions.seconds_to_wait())
        self._clock.wait(self._signals.frames_waiting, wait_seconds)
        return True

    def _send_frame(self, frame: SpooledFrame) -> None:
        try:
            reply = self._channel.send_frame(frame.sequence, frame.body)
        except NumberTakenError:
            raise
        except BodyTooLargeError:
            self._pass_over(frame.sequence)
            raise
        except RefusedError as error:
            self._settle_refusal(frame, error)
        except ChannelError as error:
            self._blame([frame], error)
            raise
        else:
            results = {} if reply.result is None else {frame.sequence: reply.result}
            self._settle_answers([frame], results, {reply.match: 1})

    def _send_batch(self, frames: Sequence[SpooledFrame]) -> None:
        began_seconds = self._clock.monotonic_seconds()
        try:
            reply = self._channel.send_batch(batch_of(frames))
        except (RefusedError, BodyTooLargeError) as error:
            self._take_apart(frames, error)
            return
        except ChannelError as error:
            self._blame(frames, error)
            raise
        self._due.answered(self._clock.monotonic_seconds() - began_seconds)
        taken_frames = [frame for frame in frames if frame.sequence not in reply.faults]
        self._settle_answers(taken_frames, reply.results, reply.matches)
        retries, taken = 0, None
        for frame in frames:
            fault = reply.faults.get(frame.sequence)
            if isinstance(fault, NumberTakenError):
                taken = fault  # the last one: it goes back where any of them is to, since numbers rise in a batch
            elif isinstance(fault, RefusedError):
                self._settle_refusal(frame, fault)
            elif fault is not None:
                retries += 1
                if not isinstance(fault, NobodyReadItError):
                    self._hold_back(frame.sequence)
        if taken is not None:
            raise taken
        if retries:
            raise ChannelError(f"{retries} of {len(frames)} frames of a batch are to be sent again")

    def _take_apart(self, frames: Sequence[SpooledFrame], error: RefusedError | BodyTooLargeError) -> None:
        """Find out frame by frame what is wrong with a batch that was refused as a whole, which names no frame."""
        _log.warning("batch-refused", frames=len(frames), reason=str(error))
        self._due.failed(len(frames))
        for frame in frames:
            self._send_frame(frame)

    def _blame(self, frames: Sequence[SpooledFrame], error: ChannelError) -> None:
        """Send fewer at once after a failed request; the frame that fails alone, again and again, lets others go on.

        It is not lost, since the server has not answered for it: it is tried again from time to time.
        """
        if isinstance(error, NobodyReadItError):
            return
        self._due.failed(len(frames))
        if len(frames) == 1:
            self._hold_back(frames[0].sequence)

    def _hold_back(self, sequence: int) -> None:
        seconds = self._held_back.failed(sequence, self._clock.monotonic_seconds())
        if seconds is not None:
            _log.warning("frame-held-back", sequence=sequence, seconds=seconds)

    def _pass_over(self, sequence: int) -> None:
        """Let those behind this one go on: something on the way takes none of its size, nobody knows until when."""
        self._held_back.hold(sequence, self._clock.monotonic_seconds(), PASSED_OVER_SECONDS)
        _log.warning("frame-passed-over", sequence=sequence, seconds=PASSED_OVER_SECONDS)

    def _settle_answers(
        self, frames: Sequence[SpooledFrame], results: Mapping[int, FrameResult], matches: Mapping[str, int]
    ) -> None:
        """Let frames go that were encoded with the same bundle."""
        sequences = [frame.sequence for frame in frames]
        self._spool.acknowledge(sequences)
        self._held_back.settled(sequences)
        if any(frame.label is not None for frame in frames):
            self._signals.labels_waiting.set()
        exact = matches.get(Match.EXACT, 0)
        target = frames[0].target if exact and frames else None
        if target is not None:
            self._witness.proved(target, exact)
        for sequence, result in results.items():
            _log.info("frame-classified", sequence=sequence, **result.model_dump(mode="json", exclude={"id", "top"}))
        _log.debug("frames-acknowledged", first=sequences[:1], frames=len(sequences))

    def _settle_refusal(self, frame: SpooledFrame, error: RefusedError) -> None:
        if isinstance(error, TablesWantedError) and put_tables_back(self._spool, frame):
            return
        self._spool.refuse(frame.sequence, status=error.status, code=error.code, detail=str(error))
        self._held_back.settled([frame.sequence])
        if frame.target is not None:
            self._witness.refused(frame.target, 1)
        _log.warning("frame-refused", sequence=frame.sequence, status=error.status, code=error.code, reason=str(error))

    def _renumber(self, error: NumberTakenError) -> None:
        """Number what waits anew: this device counts from a number that it has passed before, or counted too far.

        Raises:
            ChannelError: that was done a moment ago, or no device goes on from the number that is named.
        """
        wait_seconds = self._renumbered_until_seconds - self._clock.monotonic_seconds()
        if wait_seconds > 0:
            raise ChannelError(f"what waits was numbered anew a moment ago, and yet: {error}", wait_seconds)
        above = error.highest_sequence
        try:
            if isinstance(error, NumberTooHighError):
                frames = self._spool.count_back(above)
            else:
                is_again = self._renumbered_until_seconds > 0
                frames = self._spool.renumber(above + (int(self._random() * PASSED_MAX) if is_again else 0))
        except (NotTooFarError, NumbersExhaustedError) as fault:
            raise ChannelError(f"{error}; but {fault}") from fault
        self._renumbered_until_seconds = self._clock.monotonic_seconds() + RENUMBERED_FLOOR_SECONDS
        self._held_back.forget()
        self._due.renumbered()
        _log.warning("frames-renumbered", above=above, frames=frames, reason=str(error))
