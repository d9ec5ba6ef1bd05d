"""What systemd is told of the program: that it has started, that it ends, and that it does not hang (sd_notify(3))."""

import contextlib
import socket
from collections.abc import Callable, Mapping

from sensor_client.logs import get_logger
from sensor_client.pulse import Pulse

HANG_SECONDS = 90.0
"""A thread that is not seen for so long hangs: three times as long as a request may take."""

_log = get_logger(__name__)


class ServiceManager:
    """Tells the socket in NOTIFY_SOCKET; where there is none, nobody, at no cost."""

    def __init__(
        self,
        environment: Mapping[str, str],
        process: int,
        pulse: Pulse,
        threads: tuple[str, ...],
        monotonic_seconds: Callable[[], float],
    ) -> None:
        """Prepare.

        Args:
            process: this one's number; a watchdog that is set for another one is none of ours.
            threads: those that must be seen for the program to count as alive.
        """
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._period_seconds = _period_seconds(environment, process)
        self._pulse = pulse
        self._threads = threads
        self._monotonic_seconds = monotonic_seconds
        self._told_at_seconds = -1e9
        self._hanging: str | None = None

    def ready(self) -> None:
        """The program has started."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """The program is about to end."""
        self._tell("STOPPING=1")

    def watch(self) -> None:
        """Feed the watchdog, when it is time, unless a thread hangs: then it bites, and systemd starts anew."""
        now = self._monotonic_seconds()
        if self._period_seconds is None or now - self._told_at_seconds < self._period_seconds:
            return
        hanging = next((one for one in self._threads if self._pulse.silent_seconds(one) > HANG_SECONDS), None)
        if hanging is None:
            self._tell("WATCHDOG=1")
            self._told_at_seconds = now
        elif hanging != self._hanging:
            _log.error("part-hangs", part=hanging, reason=f"it was not seen for {HANG_SECONDS:.0f} s")
        self._hanging = hanging

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        name = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.setblocking(False)
            line.sendto(message.encode(), name)


def _period_seconds(environment: Mapping[str, str], process: int) -> float | None:
    """A third of the time after which the watchdog bites; None where there is none."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    if environment.get("WATCHDOG_PID", str(process)) != str(process) or not microseconds.isdecimal():
        return None
    return int(microseconds) / 3e6
