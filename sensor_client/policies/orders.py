"""What may change about taking pictures while the sensor runs: orders, and the holder that the camera reads."""

import math
import threading
from dataclasses import dataclass

from sensor_client.policies.region import Region
from sensor_client.policies.schedule import Schedule

KEEP_ALIVE_SECONDS = 3600.0
DETAIL_BYTES_PER_HOUR = 1 << 20
DETAIL_QUALITY = 90
"""At which tables of usual budgets have steps that are at least twice those of details (docs/adr/0052)."""
MOST_REQUESTS = 100


@dataclass(frozen=True)
class OnChange:
    """Only pictures that differ from the one sent last are sent; see `changes`.

    Args:
        threshold: the difference that starts sending, in grey levels of 0 to 255.
        keep_alive_seconds: after this long without a picture one is sent, whatever it shows.

    Raises:
        ValueError: a number is outside its range.
    """

    threshold: float
    keep_alive_seconds: float = KEEP_ALIVE_SECONDS

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 255:
            raise ValueError(f"a change is above 0 and at most 255 grey levels, not {self.threshold:g}")
        if not 1 <= self.keep_alive_seconds < math.inf:
            raise ValueError(f"a picture is kept alive after 1 second or more, not {self.keep_alive_seconds:g}")


@dataclass(frozen=True, kw_only=True)
class CaptureOrders:
    """How pictures are taken from now on.

    Args:
        frames_per_second: None takes pictures as fast as they can be encoded.
        sampling_share: of the pictures, how many are taken: above 0, at most 1.
        on_change: None sends every picture.
        active: the hours at which pictures are taken; None is always.
        region: the part of the picture that is sent; None is the whole of it.
        rare_labels: frames with one of these labels are sent before others and dropped after them.
        detail_share: of the frames, how many take along a detail, their picture as finer ordinary JPEG: 0 to 1.
        detail_bytes_per_hour: the most that details may cost.
        detail_quality: of details, 1 to 100 as libjpeg counts.

    Raises:
        ValueError: a number is outside its range.
    """

    frames_per_second: float | None = None
    sampling_share: float = 1.0
    on_change: OnChange | None = None
    active: Schedule | None = None
    region: Region | None = None
    rare_labels: frozenset[str] = frozenset()
    detail_share: float = 0.0
    detail_bytes_per_hour: int = DETAIL_BYTES_PER_HOUR
    detail_quality: int = DETAIL_QUALITY

    def __post_init__(self) -> None:
        if self.frames_per_second is not None and not 0 < self.frames_per_second < math.inf:
            raise ValueError(f"a rate is above 0, not {self.frames_per_second:g} pictures a second")
        if not 0 < self.sampling_share <= 1:
            raise ValueError(f"a share of the pictures is above 0 and at most 1, not {self.sampling_share:g}")
        if not 0 <= self.detail_share <= 1:
            raise ValueError(f"a share of the frames is 0 to 1, not {self.detail_share:g}")
        if self.detail_bytes_per_hour < 0:
            raise ValueError(f"no fewer than 0 bytes an hour, not {self.detail_bytes_per_hour}")
        if not 1 <= self.detail_quality <= 100:
            raise ValueError(f"a quality is 1 to 100, not {self.detail_quality}")


class HeldCaptureOrders:
    """The orders of the moment. Thread-safe; the camera's thread reads them before each picture."""

    def __init__(self, orders: CaptureOrders) -> None:
        self._orders = orders

    @property
    def now(self) -> CaptureOrders:
        """What is in effect."""
        return self._orders

    def replace(self, orders: CaptureOrders) -> None:
        """Take pictures by other orders from the next one on; a camera that waits notices within seconds."""
        self._orders = orders  # one reference is replaced at once


class Requests:
    """Pictures that somebody asked for. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = 0

    @property
    def are_waiting(self) -> bool:
        """Whether one is asked for."""
        return self._waiting > 0

    def ask(self, count: int = 1) -> None:
        """Ask for pictures, MOST_REQUESTS at once at most: each of the next ones is taken soon, and sent first."""
        with self._lock:
            self._waiting = min(MOST_REQUESTS, self._waiting + max(0, count))

    def take(self) -> bool:
        """Whether the picture about to be taken is one that was asked for; counts it as taken."""
        with self._lock:
            was_asked = self._waiting > 0
            self._waiting -= was_asked
        return was_asked
