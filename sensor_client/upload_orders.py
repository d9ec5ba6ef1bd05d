"""How a device is to send, as it stands now: read for each request, and replaced while the program runs."""

from dataclasses import dataclass, field

from sensor_client.budget import Budget

METERED_LINGER_SECONDS = 600.0
METERED_BATCH = 64
METERED_POLL_SECONDS = 86400.0


@dataclass(frozen=True, kw_only=True)
class UploadOrders:
    """How to send.

    Args:
        batch: frames in one request, at most; 1 posts each frame as a JPEG.
        linger_seconds: how long an incomplete batch waits for more frames.
        budget: bytes that may cross the network.
        is_metered: bytes are dear: frames go in batches, and an incomplete one waits for ten minutes at least.
    """

    batch: int = 1
    linger_seconds: float = 5.0
    budget: Budget = field(default_factory=Budget)
    is_metered: bool = False

    @property
    def most(self) -> int:
        """Frames in one request, at most."""
        return max(self.batch, METERED_BATCH) if self.is_metered else self.batch

    @property
    def age_limit_seconds(self) -> float:
        """How long a frame waits, at most, for others to share its request."""
        return max(self.linger_seconds, METERED_LINGER_SECONDS) if self.is_metered else self.linger_seconds


class HeldUploadOrders:
    """The orders that are in force. Thread-safe: one reference is read, or set."""

    def __init__(self, orders: UploadOrders) -> None:
        self._orders = orders

    @property
    def now(self) -> UploadOrders:
        """Those that hold for the next request."""
        return self._orders

    def replace(self, orders: UploadOrders) -> None:
        """From the next request on, do this instead."""
        self._orders = orders
