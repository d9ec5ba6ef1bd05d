"""Which frames the next request carries: how many, and whether they wait for company, for their budget or for later."""

from collections.abc import Sequence
from typing import Protocol

from sensor_client.batch_size import halved, regrown
from sensor_client.batching import ENOUGH_BYTES, leading_run, within
from sensor_client.budget import Urgency
from sensor_client.clock import Clock
from sensor_client.held_back import HeldBack
from sensor_client.http_line import HEADS_BYTES
from sensor_client.logs import get_logger
from sensor_client.signals import Signals
from sensor_client.spool import Priority, Spool, SpooledFrame
from sensor_client.upload_orders import HeldUploadOrders
from shared.wire import BATCH_MAX_FRAMES

IDLE_SECONDS = 60.0

_log = get_logger(__name__)


class Allowance(Protocol):
    """What is to be known of the byte budget; `Ledger` knows it."""

    def room_bytes(self, urgency: Urgency) -> int | None: ...

    def seconds_until(self, urgency: Urgency, request_bytes: int) -> float: ...


class DueFrames:
    """Chooses frames, and changes none. The wanted most go first, and a request carries those of one priority."""

    def __init__(
        self,
        *,
        spool: Spool,
        allowance: Allowance,
        orders: HeldUploadOrders,
        held_back: HeldBack,
        clock: Clock,
        signals: Signals,
    ) -> None:
        self._spool = spool
        self._allowance = allowance
        self._orders = orders
        self._held_back = held_back
        self._clock = clock
        self._signals = signals
        self._size = BATCH_MAX_FRAMES
        self._waiting_first = -1
        self._waiting_since_seconds = 0.0
        self._over_budget_until_seconds: float | None = None

    def next(self) -> Sequence[SpooledFrame]:
        """The frames to send now: a whole batch, or what there is once waiting for more is no use."""
        source_had_ended = self._signals.source_ended.is_set()
        most = min(self._size, self._orders.now.most)
        held_back = self._held_back.numbers(self._clock.monotonic_seconds())
        oldest = self._spool.oldest(most, ENOUGH_BYTES, but=held_back)
        frames = self._affordable(leading_run(oldest))
        if not frames:
            self._waiting_first = -1
            return []
        is_large = sum(len(frame.body) for frame in frames) >= ENOUGH_BYTES
        is_whole = len(frames) >= most or len(frames) < len(oldest) or is_large
        is_asked_for = frames[0].priority is Priority.REQUESTED
        if is_whole or is_asked_for or source_had_ended or self._has_lingered(frames[0]):
            self._waiting_first = -1
            return frames
        return []

    def seconds_to_wait(self) -> float:
        """Until something may be due that is not now."""
        now_seconds = self._clock.monotonic_seconds()
        waits = [IDLE_SECONDS, self._held_back.seconds_to_wait(now_seconds)]
        if self._waiting_first >= 0:
            waits.append(self._seconds_to_linger())
        if self._over_budget_until_seconds is not None:
            waits.append(max(0.0, self._over_budget_until_seconds - now_seconds))
        return min(waits)

    def failed(self, frames: int) -> None:
        """A request with so many frames failed, and perhaps because of them."""
        self._size = halved(frames)

    def answered(self, seconds: float) -> None:
        """A batch was answered in so many seconds."""
        self._size = regrown(self._size, BATCH_MAX_FRAMES, seconds)

    def renumbered(self) -> None:
        """The frames have other numbers now."""
        self._waiting_first = -1

    def _affordable(self, frames: Sequence[SpooledFrame]) -> Sequence[SpooledFrame]:
        """As many of these as the budget allows now."""
        if not frames:
            return frames
        urgency = Urgency.URGENT if frames[0].priority > Priority.ORDINARY else Urgency.ORDINARY
        wait_seconds = self._allowance.seconds_until(urgency, len(frames[0].body) + HEADS_BYTES)
        self._tell_of_the_budget(wait_seconds)
        if wait_seconds > 0:
            return []
        room_bytes = self._allowance.room_bytes(urgency)
        return frames if room_bytes is None else within(frames, room_bytes - HEADS_BYTES)

    def _tell_of_the_budget(self, wait_seconds: float) -> None:
        was_over = self._over_budget_until_seconds is not None
        if wait_seconds > 0:
            self._over_budget_until_seconds = self._clock.monotonic_seconds() + wait_seconds
            if not was_over:
                _log.warning("over-budget", reason="frames wait for the next period", looks_again_in=wait_seconds)
            return
        self._over_budget_until_seconds = None
        if was_over:
            _log.info("within-budget-again")

    def _has_lingered(self, first: SpooledFrame) -> bool:
        if first.sequence != self._waiting_first:
            self._waiting_first = first.sequence
            self._waiting_since_seconds = self._clock.monotonic_seconds()
        return self._seconds_to_linger() <= 0

    def _seconds_to_linger(self) -> float:
        waited_seconds = self._clock.monotonic_seconds() - self._waiting_since_seconds
        return max(0.0, self._orders.now.age_limit_seconds - waited_seconds)
