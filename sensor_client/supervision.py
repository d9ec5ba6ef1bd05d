"""Keeps a part of the sensor at work: whatever ends it costs nothing but its own time."""

from collections.abc import Callable

from sensor_client.backoff import delay_seconds
from sensor_client.clock import Clock
from sensor_client.logs import get_logger
from sensor_client.signals import Signals

FLOOR_SECONDS = 2.0
"""Between two starts, at least."""
WELL_AFTER_SECONDS = 600.0
"""A run that lasted so long was a good one: the wait after it is short again."""

_log = get_logger(__name__)


class Supervised:
    """Runs `work` again and again until it returns, which it does when a stop is asked for. Nothing that it raises
    comes out: neither a fault of the disk nor one of this program or a refused token may end capture or upload."""

    def __init__(
        self, name: str, work: Callable[[], None], *, clock: Clock, random: Callable[[], float], signals: Signals
    ) -> None:
        self.name = name
        self._work = work
        self._clock = clock
        self._random = random
        self._signals = signals
        self.restarts = 0

    def run(self) -> None:
        """Work until a stop is asked for."""
        attempt = 0
        while not self._signals.stop.is_set():
            started_seconds = self._clock.monotonic_seconds()
            try:
                self._work()
            except Exception as error:  # noqa: BLE001 - whatever it is, the camera goes on
                has_run_well = self._clock.monotonic_seconds() - started_seconds >= WELL_AFTER_SECONDS
                attempt = 0 if has_run_well else attempt + 1
                self._wait(error, attempt)
            else:
                return

    def _wait(self, error: Exception, attempt: int) -> None:
        self.restarts += 1
        self._signals.restarts[self.name] = self.restarts
        wait_seconds = FLOOR_SECONDS + delay_seconds(attempt, None, self._random)
        _log.error(
            "restarted",
            part=self.name,
            error=type(error).__name__,
            reason=str(error)[:500],
            restarts=self.restarts,
            in_seconds=round(wait_seconds, 3),
            exc_info=error,
        )
        self._clock.wait(self._signals.stop, wait_seconds)
