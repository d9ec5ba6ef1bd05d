"""Who is let in: decided before the body of a request is read.

A device's quota, then the queue: the newest frame is the one that is refused, and what was let in is finished.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from starlette.requests import Request

from cloud_server.api.http.bodies import header
from cloud_server.fleet.devices import Device
from cloud_server.fleet.quota import Quota
from cloud_server.inference.ingest import Ingest
from shared.errors import PeerError


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """What a request body may weigh (bytes) and how long it may take (seconds)."""

    frame_max_bytes: int
    batch_max_bytes: int
    max_seconds: float


class Admission:
    """Admits uploads. A frame waits `wait_max_seconds` at most, or as long as `DW-Timeout` says if that is less."""

    def __init__(
        self,
        bodies: BodyLimits,
        quota: Quota[int],
        ingest: Ingest,
        wait_max_seconds: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.bodies = bodies
        self._quota = quota
        self._ingest = ingest
        self._wait_max_seconds = wait_max_seconds
        self._clock = clock

    def admit(self, request: Request, device: Device) -> float:
        """How long, in seconds, the frames of this request may wait for their answers once they are here.

        Raises:
            PeerError: DW-Timeout is not understood.
            QuotaError: the device has no frame left.
            QueueFullError: there is no room for one, or it would wait longer than that.
        """
        wait_seconds = min(self._wait_max_seconds, _timeout_seconds(request))
        self._quota.check(device.row_id, 1, self._clock())
        self._ingest.check_room(wait_seconds)
        return wait_seconds

    def charge(self, device: Device, frames: int) -> None:
        """Take frames off the device's quota; how many a batch has is known only now.

        Raises:
            QuotaError: it has not so many left.
        """
        self._quota.take(device.row_id, frames, self._clock())


def _timeout_seconds(request: Request) -> float:
    text = header(request, b"dw-timeout")
    if not text:
        return float("inf")
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= 9 and int(text)):
        raise PeerError(f"send DW-Timeout as whole milliseconds from 1, not {text[:32]!r}")
    return int(text) / 1000
