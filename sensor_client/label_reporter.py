"""Labels to server: what frames show, told once the frames are acknowledged, and never in the way of frames."""

from collections.abc import Callable
from typing import Protocol

from sensor_client.backoff import RetryBudget, delay_seconds
from sensor_client.clock import Clock
from sensor_client.errors import NobodyReadItError
from sensor_client.held_back import HeldBack
from sensor_client.logs import get_logger
from sensor_client.signals import Signals
from sensor_client.spool import PendingLabel, Spool, SpoolError
from shared.errors import ChannelError, RefusedError

LABELS_AT_ONCE = 64
IDLE_SECONDS = 3600.0

_log = get_logger(__name__)


class LabelChannel(Protocol):
    """What the reporter needs of `DeviceChannel`."""

    def send_label(self, sequence: int, label: str) -> None: ...


class LabelReporter:
    """Takes labels out of the spool, as nothing else does; one leaves it when the server has named its frame."""

    def __init__(
        self,
        *,
        spool: Spool,
        channel: LabelChannel,
        clock: Clock,
        random: Callable[[], float],
        signals: Signals,
    ) -> None:
        self._spool = spool
        self._channel = channel
        self._clock = clock
        self._random = random
        self._signals = signals
        self._held_back = HeldBack()
        self._retries = RetryBudget()

    def run(self) -> None:
        """Tell labels until a stop is asked for."""
        attempt = 0
        while self._signals.may_go_on(self._signals.labels_waiting):
            try:
                has_told = self.step()
            except (ChannelError, SpoolError) as error:
                attempt += 1
                self._put_off(error, attempt)
                continue
            attempt = 0
            self._retries = self._retries.answered() if has_told else self._retries
            if not has_told:
                until_due = self._held_back.seconds_to_wait(self._clock.monotonic_seconds())
                self._clock.wait(self._signals.labels_waiting, min(IDLE_SECONDS, until_due))

    def step(self) -> bool:
        """Tell some of the labels that are due; return whether there were any.

        Raises:
            ChannelError: those that were not told stay.
            SpoolError: they are told once more, which does no harm.
        """
        held_back = self._held_back.numbers(self._clock.monotonic_seconds())
        pending = self._spool.pending_labels(LABELS_AT_ONCE + len(held_back))
        labels = [label for label in pending if label.sequence not in held_back]
        told: list[int] = []
        refused: list[int] = []
        try:
            for label in labels:
                if self._signals.stop.is_set():
                    break
                (told if self._tell(label) else refused).append(label.sequence)
        finally:  # one transaction for all; telling a label twice after a crash does no harm
            if told or refused:
                self._spool.settle_labels(told, refused)
                self._held_back.settled([*told, *refused])
                self._signals.frames_waiting.set()  # who waits until all is delivered looks again
        return bool(labels)

    def _tell(self, label: PendingLabel) -> bool:
        try:
            self._channel.send_label(label.sequence, label.label)
        except RefusedError as error:
            _log.warning("label-refused", sequence=label.sequence, code=error.code, reason=str(error))
            return False
        except ChannelError as error:
            if not isinstance(error, NobodyReadItError):
                self._hold_back(label.sequence)
            raise
        return True

    def _hold_back(self, sequence: int) -> None:
        """Let the labels behind this one go on, once it has failed a few times."""
        seconds = self._held_back.failed(sequence, self._clock.monotonic_seconds())
        if seconds is not None:
            _log.warning("label-held-back", sequence=sequence, seconds=seconds)

    def _put_off(self, error: ChannelError | SpoolError, attempt: int) -> None:
        floor = error.retry_after_seconds if isinstance(error, ChannelError) else None
        wait = max(delay_seconds(attempt - 1, floor, self._random), self._retries.floor_seconds)
        self._retries = self._retries.failed()
        _log.warning("labels-put-off", reason=str(error), attempt=attempt, retry_in_seconds=round(wait, 3))
        self._clock.wait(self._signals.stop, wait)
