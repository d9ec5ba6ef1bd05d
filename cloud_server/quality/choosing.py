"""Which answered frames are watched for drift: so many a second at most, and one of a device only now and then.

Frames of one camera resemble each other: the test takes each for a draw of its own, so a device is heard once in a
while. What a micro-batch's frames show has no part in the choice.
"""

from collections.abc import Callable, Sequence

SAVED_UP_SECONDS = 1.0


class Choosing:
    """Chooses micro-batches before they are classified, and frames of them afterwards.

    Args:
        frames_per_second: the most frames of all versions together that are watched; 0: none. Statistics are computed
            of whole micro-batches, with frames of devices that were just heard, but of no more micro-batches than this.
        device_seconds: how long a device is not heard again.
        monotonic: seconds on a clock that never goes back.
    """

    def __init__(self, frames_per_second: float, device_seconds: float, monotonic: Callable[[], float]) -> None:
        self._rate = frames_per_second
        self._device_seconds = device_seconds
        self._monotonic = monotonic
        self._due: dict[str, float] = {}
        self._heard: dict[int, float] = {}  # in the order of time

    def wants(self, version: str, devices: Sequence[int]) -> bool:
        """Whether a micro-batch of a version is to be looked at, with frames of these devices.

        Each version has an equal part of the frames a second, and may save up those of one second.
        """
        now = self._monotonic()
        due = self._due.get(version, float("-inf"))
        if now < due or not self._rate:
            return False
        self._forget(now)
        due_devices = [device for device in devices if device not in self._heard]
        taken = len(set(due_devices) if self._device_seconds else due_devices)
        if not taken:
            return False
        self._due[version] = due  # it has a part from now on
        share = self._rate / len(self._due)
        self._due[version] = max(due, now - SAVED_UP_SECONDS) + taken / share
        return True

    def takes(self, device: int) -> bool:
        """Whether a frame of a device counts now; if so, none of it does for a while."""
        now = self._monotonic()
        self._forget(now)
        if device in self._heard:
            return False
        self._heard[device] = now
        return True

    def forget_version(self, version: str) -> None:
        """A version is not watched any more."""
        self._due.pop(version, None)

    def _forget(self, now: float) -> None:
        """Devices that may be heard again; so at most those of `device_seconds` are remembered."""
        while self._heard:
            device = next(iter(self._heard))
            if now - self._heard[device] < self._device_seconds:
                return
            del self._heard[device]
