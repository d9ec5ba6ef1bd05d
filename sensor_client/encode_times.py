"""How long encoding takes here: a bounded window of the last frames."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sensor_client.clock import Clock

WINDOW_FRAMES = 101


class EncodeTimes:
    """Measures encodings, and tells the median of the last WINDOW_FRAMES. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds: deque[float] = deque(maxlen=WINDOW_FRAMES)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure what is inside the block, where it does not raise."""
        started_seconds = self._clock.monotonic_seconds()
        yield
        with self._lock:
            self._seconds.append(self._clock.monotonic_seconds() - started_seconds)

    def median_seconds(self) -> float | None:
        """The median, of an even number the upper one; None before the first encoding."""
        with self._lock:
            ordered = sorted(self._seconds)
        return ordered[len(ordered) // 2] if ordered else None
