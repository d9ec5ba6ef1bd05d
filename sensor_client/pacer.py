"""When the next picture is due: by rate, by hours, or because somebody asks for one."""

from collections.abc import Callable
from datetime import UTC, datetime

from sensor_client.clock import Clock
from sensor_client.logs import get_logger
from sensor_client.policies import CaptureOrders, HeldCaptureOrders, Requests
from sensor_client.signals import Signals

LOOK_SECONDS = 15.0
"""The longest wait after which orders, hours and requests are looked at anew."""
FLOOR_ASKED_SECONDS = 3600.0

_log = get_logger(__name__)


class Pacer:
    """Waits for the next picture's time.

    Args:
        time_floor: before this, in seconds since 1970, it certainly is not. Where the clock says an earlier time,
            nobody knows the hour, and pictures are taken at every hour: too many are better than none.
    """

    _last_seconds: float | None = None
    _was_active = True

    def __init__(
        self,
        *,
        orders: HeldCaptureOrders,
        requests: Requests,
        clock: Clock,
        signals: Signals,
        time_floor: Callable[[], float],
        waits_for_hours: bool = True,
    ) -> None:
        self._orders = orders
        self._requests = requests
        self._clock = clock
        self._signals = signals
        self._waits_for_hours = waits_for_hours
        self._doubt = _Doubt(clock, time_floor)

    def await_turn(self) -> bool:
        """Wait until the next picture is due; false once a stop is asked for, or in quiet hours that are no wait."""
        while not self._signals.stop.is_set():
            orders = self._orders.now
            if not self._is_active(orders):
                if not self._waits_for_hours:
                    return False
                self._clock.wait(self._signals.stop, LOOK_SECONDS)
                continue
            reached_seconds = self._clock.monotonic_seconds()
            early_seconds = self._due_seconds(orders, reached_seconds) - reached_seconds
            if early_seconds <= 0 or self._requests.are_waiting:
                self._begin(orders, reached_seconds)
                return True
            self._clock.wait(self._signals.stop, min(early_seconds, LOOK_SECONDS))
        return False

    def _due_seconds(self, orders: CaptureOrders, reached_seconds: float) -> float:
        if orders.frames_per_second is None or self._last_seconds is None:
            return reached_seconds
        return self._last_seconds + 1 / orders.frames_per_second

    def _begin(self, orders: CaptureOrders, reached_seconds: float) -> None:
        """Count from when the picture was due; from now where that is a period ago or to come: no burst catches up."""
        due_seconds = self._due_seconds(orders, reached_seconds)
        period_seconds = 0.0 if orders.frames_per_second is None else 1 / orders.frames_per_second
        is_punctual = due_seconds <= reached_seconds <= due_seconds + period_seconds
        self._last_seconds = due_seconds if is_punctual else reached_seconds

    def _is_active(self, orders: CaptureOrders) -> bool:
        now = self._clock.now()
        is_active = orders.active is None or orders.active.is_active(now) or self._doubt.is_certainly_wrong(now)
        if is_active != self._was_active:
            self._was_active = is_active
            change = None if orders.active is None else orders.active.next_change(now)
            _log.info(
                "active-hours-began" if is_active else "quiet-hours-began",
                until=None if change is None else datetime.fromtimestamp(change, UTC).isoformat(),
            )
        return is_active


class _Doubt:
    """Whether the clock is certainly wrong. What was signed is read rarely: that costs more than a picture."""

    def __init__(self, clock: Clock, time_floor: Callable[[], float]) -> None:
        self._clock = clock
        self._time_floor = time_floor
        self._floor_seconds = 0.0
        self._asked_at_seconds = -FLOOR_ASKED_SECONDS
        self._was_wrong = False

    def is_certainly_wrong(self, now: float) -> bool:
        """Whether it is later than the clock says; the log is told once."""
        at_seconds = self._clock.monotonic_seconds()
        if at_seconds - self._asked_at_seconds >= FLOOR_ASKED_SECONDS:
            self._floor_seconds, self._asked_at_seconds = self._time_floor(), at_seconds
        is_wrong = now < self._floor_seconds
        if is_wrong and not self._was_wrong:
            advice = "it is behind what was signed: set it; until then pictures are taken at all hours"
            _log.warning("clock-certainly-wrong", reason=advice)
        self._was_wrong = is_wrong
        return is_wrong
