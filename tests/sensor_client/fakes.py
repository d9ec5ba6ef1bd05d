"""Stand-ins for what the sensor takes as parameters."""

import threading
from collections.abc import Callable

from shared.wire import Enrolment


class Access:
    """An enrolment that the server always takes; what it says of the token is noted."""

    def __init__(self, device_id: str, token: str) -> None:
        self._enrolment = Enrolment(device_id=device_id, token=token, family="signs")
        self.told: list[str] = []

    def enrolment(self) -> Enrolment:
        return self._enrolment

    def refused(self, token: str) -> None:
        self.told.append("refused")

    def accepted(self, token: str) -> None:
        self.told.append("accepted")


class FakeClock:
    """Time that passes only while somebody waits; `on_wait` may make things happen meanwhile."""

    def __init__(self, on_wait: Callable[[float], None] = lambda seconds: None) -> None:
        self.elapsed_seconds = 1000.0
        self.waits: list[float] = []
        self.on_wait = on_wait

    def now(self) -> float:
        return 1_700_000_000 + self.elapsed_seconds

    def monotonic_seconds(self) -> float:
        return self.elapsed_seconds

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not event.is_set():
            self.waits.append(seconds)
            self.elapsed_seconds += seconds
            self.on_wait(seconds)
        return event.is_set()
