"""How many frames a device may post: a token bucket each, as GCRA, one number a device (ITU-T I.371, annex A)."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cloud_server.errors import QuotaError

Device = TypeVar("Device", bound=Hashable)
_PRUNED_AT_LEAST = 1024


@dataclass(frozen=True, slots=True)
class Rate:
    """Frames a second on the whole, and how many at once."""

    frames_per_second: float
    burst_frames: int

    def wait_seconds(self, filling_seconds: float, frames: int) -> float:
        """How long until so many can be taken from a bucket that will be full in so many seconds; at most 0: now."""
        return filling_seconds + (frames - self.burst_frames) / self.frames_per_second


class Quota(Generic[Device]):
    """A bucket a device. Holds only those that are not full, so it never has more than were here within a burst."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._full_at: dict[Device, float] = {}
        self._taken: dict[Device, int] = {}
        self._prune_at = _PRUNED_AT_LEAST

    def check(self, device: Device, frames: int, now: float) -> None:
        """Whether so many may be taken; takes none.

        Raises:
            QuotaError: not yet.
        """
        self._after(device, frames, now)

    def take(self, device: Device, frames: int, now: float) -> None:
        """Take so many, or none at all; `now` in seconds, on a clock that never goes back.

        Raises:
            QuotaError: there are not so many; says when there will be.
        """
        self._full_at[device] = self._after(device, frames, now)
        self._taken[device] = self._taken.get(device, 0) + frames
        self._prune(now)

    def spend(self, device: Device, frames: int, now: float) -> None:
        """Take what another process has given away already; the bucket goes into debt, by one burst at most."""
        full_at = max(self._full_at.get(device, now), now) + frames / self._rate.frames_per_second
        self._full_at[device] = min(full_at, now + 2 * self._rate.burst_frames / self._rate.frames_per_second)

    def taken(self) -> dict[Device, int]:
        """How much was taken since the last call, by device."""
        taken, self._taken = self._taken, {}
        return taken

    def _prune(self, now: float) -> None:
        if len(self._full_at) > self._prune_at:
            self._full_at = {one: at for one, at in self._full_at.items() if at > now}
            self._prune_at = max(_PRUNED_AT_LEAST, 2 * len(self._full_at))

    def __len__(self) -> int:
        """How many buckets are held."""
        return len(self._full_at)

    def _after(self, device: Device, frames: int, now: float) -> float:
        full_at = max(self._full_at.get(device, now), now)
        wait_seconds = self._rate.wait_seconds(full_at - now, frames)
        if wait_seconds > 0:
            raise QuotaError(self._rate.frames_per_second, self._rate.burst_frames, wait_seconds)
        return full_at + frames / self._rate.frames_per_second
