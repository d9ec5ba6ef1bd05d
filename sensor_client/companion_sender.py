"""Companions to server: in batches of their own, after their frames, and never in the way of frames."""

from collections.abc import Callable, Sequence

from sensor_client.backoff import delay_seconds
from sensor_client.batching import ENOUGH_BYTES, batch_of, leading_run
from sensor_client.clock import Clock
from sensor_client.device_channel import BatchChannel
from sensor_client.errors import BodyTooLargeError, NumberTakenError, TablesWantedError
from sensor_client.interchange import put_tables_back
from sensor_client.logs import get_logger
from sensor_client.signals import Signals
from sensor_client.spool import Spool, SpooledFrame, SpoolError
from sensor_client.upload_orders import HeldUploadOrders
from shared.errors import ChannelError, PeerError, RefusedError
from shared.wire import ProblemCode

LINGER_SECONDS = 600.0
"""How long an incomplete batch waits for more: companions are few, nobody waits for them, and a request costs bytes."""

_log = get_logger(__name__)
Renumber = Callable[[NumberTakenError], None]


class CompanionSender:
    """Takes companions out of the spool. No fault of theirs is raised: they are put off or dropped, and frames go on.

    Even a single one is sent as a batch: a server that does not know companions refuses that, but would take a frame
    with headers that it does not know for an ordinary one.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        channel: BatchChannel,
        clock: Clock,
        random: Callable[[], float],
        signals: Signals,
        orders: HeldUploadOrders,
    ) -> None:
        self._spool = spool
        self._channel = channel
        self._clock = clock
        self._random = random
        self._signals = signals
        self._orders = orders
        self._waiting_since_seconds: float | None = None
        self._put_off_until_seconds = 0.0
        self._attempt = 0

    def step(self, renumber: Renumber) -> bool:
        """Send one batch, if one is due; return whether one was. `renumber` may raise as `send_batch` does."""
        if self._put_off_until_seconds > self._clock.monotonic_seconds():
            return False
        try:
            has_sent = self._send_what_is_due(renumber)
        except (ChannelError, SpoolError) as error:
            self._put_off(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, frames go on
            self._give_up(error)
        else:
            self._attempt = 0
            return has_sent
        return False

    def seconds_to_wait(self) -> float:
        """Until something is due that waits already; infinite where nothing does."""
        now = self._clock.monotonic_seconds()
        if self._put_off_until_seconds > now:
            return self._put_off_until_seconds - now
        if self._waiting_since_seconds is None:
            return float("inf")
        return max(0.0, self._waiting_since_seconds + LINGER_SECONDS - now)

    def _due(self) -> Sequence[SpooledFrame]:
        oldest = self._spool.companions(self._orders.now.most, ENOUGH_BYTES)
        companions = leading_run(oldest) if oldest else []
        is_large = sum(len(companion.body) for companion in companions) >= ENOUGH_BYTES
        is_complete = len(companions) >= self._orders.now.most or len(companions) < len(oldest) or is_large
        if not companions or is_complete or self._signals.source_ended.is_set() or self._has_lingered():
            self._waiting_since_seconds = None
            return companions
        return []

    def _has_lingered(self) -> bool:
        if self._waiting_since_seconds is None:
            self._waiting_since_seconds = self._clock.monotonic_seconds()
        return self.seconds_to_wait() <= 0

    def _send_what_is_due(self, renumber: Renumber) -> bool:
        companions = self._due()
        try:
            if companions and self._signals.probes_unwanted.is_set():
                self._spool.drop_companions()
            elif companions:
                self._send(companions)
        except NumberTakenError as error:
            renumber(error)
        return bool(companions)

    def _send(self, companions: Sequence[SpooledFrame]) -> None:
        try:
            reply = self._channel.send_batch(batch_of(companions))
        except (RefusedError, BodyTooLargeError) as error:
            self._settle_refusal_of_all(companions, error)
            return
        except PeerError as error:  # it is damaged, and goes alone
            self._drop(companions, str(error))
            return
        self._spool.acknowledge(each.sequence for each in companions if each.sequence not in reply.faults)
        self._settle_faults(
            [(each, reply.faults[each.sequence]) for each in companions if each.sequence in reply.faults]
        )

    def _settle_faults(self, faults: Sequence[tuple[SpooledFrame, RefusedError | ChannelError]]) -> None:
        again: list[RefusedError | ChannelError] = []
        for companion, fault in faults:
            if isinstance(fault, NumberTakenError | ChannelError):
                again.append(fault)
            elif not (isinstance(fault, TablesWantedError) and put_tables_back(self._spool, companion)):
                self._drop([companion], str(fault))
        if again:  # numbers rise in a batch: where any of them is to go back, the last one is
            raise next((fault for fault in reversed(again) if isinstance(fault, NumberTakenError)), again[0])

    def _settle_refusal_of_all(
        self, companions: Sequence[SpooledFrame], error: RefusedError | BodyTooLargeError
    ) -> None:
        """Find out one by one what is wrong with them, unless the server knows no companions at all."""
        if isinstance(error, RefusedError) and error.code == ProblemCode.INVALID_BATCH:
            self._give_up(error)
            self._spool.drop_companions()
        elif len(companions) == 1:
            self._drop(companions, str(error))
        else:
            for companion in companions:
                self._send([companion])

    def _drop(self, companions: Sequence[SpooledFrame], reason: str) -> None:
        self._spool.drop_companions(companion.sequence for companion in companions)
        _log.info("probes-refused", first=companions[0].sequence, probes=len(companions), reason=reason)

    def _give_up(self, error: Exception) -> None:
        """Make and send no more of them until the program starts anew; those that are due from now on are dropped."""
        if not self._signals.probes_unwanted.is_set():
            _log.warning("probes-given-up", error=type(error).__name__, reason=str(error)[:500])
        self._signals.probes_unwanted.set()
        self._put_off_until_seconds = 0.0

    def _put_off(self, error: ChannelError | SpoolError) -> None:
        floor_seconds = error.retry_after_seconds if isinstance(error, ChannelError) else None
        wait_seconds = delay_seconds(self._attempt, floor_seconds, self._random)
        self._attempt += 1
        self._put_off_until_seconds = self._clock.monotonic_seconds() + wait_seconds
        _log.info("probes-put-off", reason=str(error), retry_in_seconds=round(wait_seconds, 3))
