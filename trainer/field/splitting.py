"""Which frames of the field are learned from, and which are kept to measure on: by device and by time. Pure.

- **By device**: a hash of its id decides, and decides the same for ever. Of a device that is held out no frame is ever
  learned from, so what it shows is how a net does at cameras that it has never seen.
- **By time**: of the other devices the newest share is held out, and nothing that is learned from is newer: how a net
  does tomorrow.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SALT = "dctwire recent holdout"
_WORD = 1 << 64


@dataclass(frozen=True)
class SplittingRule:
    """How much is held out.

    Args:
        device_share: of all devices that there can be.
        time_share: of the other devices' frames, the newest.
    """

    device_share: float = 0.15
    time_share: float = 0.15


@dataclass(frozen=True)
class Parted:
    """What each frame is for, bool (n,) each: exactly one of the three holds.

    Args:
        is_learned: to be learned from.
        is_of_held_out_device, is_newest: measured on, and why.
    """

    is_learned: NDArray[np.bool_]
    is_of_held_out_device: NDArray[np.bool_]
    is_newest: NDArray[np.bool_]

    @property
    def is_held_out(self) -> NDArray[np.bool_]:
        """Measured on, for whatever reason."""
        return ~self.is_learned


def parted(devices: NDArray[np.str_], times: NDArray[np.float64], rule: SplittingRule) -> Parted:
    """Divide frames; a function of nothing but devices and times, in whatever order they come.

    Where every device there is would be held out, as of a fleet of one, none is: time alone divides then.

    Args:
        devices: (n,), who sent each frame.
        times: float64 (n,), in seconds.
    """
    held_out = {device for device in set(devices.tolist()) if _place(device) < rule.device_share}
    if held_out == set(devices.tolist()):
        held_out = set()
    of_device = np.array([device in held_out for device in devices.tolist()], np.bool_)
    newest = ~of_device & (times >= _cut(times[~of_device], rule.time_share))
    return Parted(~of_device & ~newest, of_device, newest)


def _cut(times: NDArray[np.float64], share: float) -> float:
    """The time from which on at most this share of the frames was taken; beyond all where that is none."""
    ordered = np.sort(times)
    first = len(ordered) - int(share * len(ordered))
    if first == len(ordered):
        return np.inf
    at_once = ordered[first]
    later = ordered[ordered > at_once]
    if first == 0 or ordered[first - 1] < at_once:
        return float(at_once)
    return float(later[0]) if len(later) else np.inf


def _place(device: str) -> float:
    """Where a device's hash falls between 0 and 1."""
    digest = hashlib.sha256(f"{SALT} {device}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / _WORD
