"""Whose frames are let in: a device's quota, then the queue. The newest frame is the one that is refused."""

from collections.abc import Callable

from cloud_server.fleet.devices import Device
from cloud_server.fleet.quota import Quota
from cloud_server.inference.ingest import Ingest


class Admission:
    """Admits uploads before their bodies are read, and takes their frames off the device's quota afterwards."""

    def __init__(self, quota: Quota[int], ingest: Ingest, wait_max_seconds: float, clock: Callable[[], float]) -> None:
        self._quota = quota
        self._ingest = ingest
        self._wait_max_seconds = wait_max_seconds
        self._clock = clock

    def admit(self, device: Device, timeout_seconds: float | None) -> float:
        """Decide whether an upload may send its body.

        Args:
            timeout_seconds: how long the client will wait for an answer; None: as long as the server lets it.

        Returns:
            How long the frames may wait for their answers once they are here, in seconds.

        Raises:
            QuotaError: the device has no frame left.
            QueueFullError: there is no room for a frame, or it would wait longer than that.
        """
        wait_seconds = bounded_wait_seconds(timeout_seconds, self._wait_max_seconds)
        self._quota.check(device.row_id, 1, self._clock())
        self._ingest.check_room(wait_seconds)
        return wait_seconds

    def charge(self, device: Device, frames: int) -> None:
        """Take frames off the device's quota; how many a batch has is known only when it is read.

        Raises:
            QuotaError: the device does not have so many left.
        """
        self._quota.take(device.row_id, frames, self._clock())


def bounded_wait_seconds(timeout_seconds: float | None, wait_max_seconds: float) -> float:
    """How long a frame may wait: what the client says, and never longer than the server's own limit."""
    return wait_max_seconds if timeout_seconds is None else min(timeout_seconds, wait_max_seconds)
