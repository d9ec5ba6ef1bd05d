"""How many frames a device may post: a token bucket each, as GCRA, one number a device (ITU-T I.371, annex A)."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cloud_server.errors import QuotaError

Device = TypeVar("Device", bound=Hashable)
_PRUNED_AT_LEAST = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Sustained frames per second, and how many frames at once."""

    frames_per_second: float
    burst_frames: int

    def wait_seconds(self, filling_seconds: float, frames: int) -> float:
        """How long until `frames` can be taken from a bucket that is full in `filling_seconds`; 0 or less means now."""
        return filling_seconds + (frames - self.burst_frames) / self.frames_per_second


class Quota(Generic[Device]):
    """One bucket per device. Only buckets that are not full are held, so memory is bounded by who came lately.

    `monotonic` is seconds on a clock that never goes back.
    """

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._full_at: dict[Device, float] = {}
        self._taken: dict[Device, int] = {}
        self._prune_at = _PRUNED_AT_LEAST

    def check(self, device: Device, frames: int, monotonic: float) -> None:
        """Whether `frames` may be taken; takes none.

        Raises:
            QuotaError: not yet.
        """
        self._after(device, frames, monotonic)

    def take(self, device: Device, frames: int, monotonic: float) -> None:
        """Take `frames`, or none at all.

        Raises:
            QuotaError: there are not so many; says when there will be.
        """
        self._full_at[device] = self._after(device, frames, monotonic)
        self._taken[device] = self._taken.get(device, 0) + frames
        self._prune(monotonic)

    def spend(self, device: Device, frames: int, monotonic: float) -> None:
        """Take `frames` that another process let in already; the bucket goes into debt, by one burst at most."""
        full_at = max(self._full_at.get(device, monotonic), monotonic) + frames / self._rate.frames_per_second
        self._full_at[device] = min(full_at, monotonic + 2 * self._rate.burst_frames / self._rate.frames_per_second)

    def taken(self) -> dict[Device, int]:
        """Frames taken since the last call, by device."""
        taken, self._taken = self._taken, {}
        return taken

    def _prune(self, monotonic: float) -> None:
        if len(self._full_at) > self._prune_at:
            self._full_at = {one: at for one, at in self._full_at.items() if at > monotonic}
            self._prune_at = max(_PRUNED_AT_LEAST, 2 * len(self._full_at))

    def __len__(self) -> int:
        """How many buckets are held."""
        return len(self._full_at)

    def _after(self, device: Device, frames: int, monotonic: float) -> float:
        full_at = max(self._full_at.get(device, monotonic), monotonic)
        wait_seconds = self._rate.wait_seconds(full_at - monotonic, frames)
        if wait_seconds > 0:
            raise QuotaError(self._rate.frames_per_second, self._rate.burst_frames, wait_seconds)
        return full_at + frames / self._rate.frames_per_second
