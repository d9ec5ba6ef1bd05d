"""How often each upload is shown in an epoch, beside every picture of the base set once. Pure.

The rule, in this order:

1. What an upload is worth halves with every `half_life_days` that it is older than the newest one.
2. Classes are brought nearer to each other: what a class's uploads are worth together is divided by its `balance`-th
   power. 0 leaves classes as the field has them, 1 shows all of them equally often.
3. The uploads' room is `share` of an epoch, or `repeats` times their number where that is less. A device gets at most
   `device_share` of the room (twice an equal share, where there are few devices); what is cut off goes to the others.
4. No upload is shown more than `repeats` times an epoch; what is cut off there goes to nobody.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DAY_SECONDS = 86_400
ROUNDS = 64  # until no device is above its share; each round cuts at least one more


@dataclass(frozen=True)
class MixingRule:
    """The rule's numbers.

    Args:
        share: of an epoch's showings, the most that are uploads; below 1.
    """

    half_life_days: float = 30.0
    balance: float = 0.5
    device_share: float = 0.1
    repeats: float = 8.0
    share: float = 0.5


@dataclass(frozen=True)
class Mixture:
    """How often uploads are shown in an epoch.

    Args:
        expected: float64 (n,), showings of each in the mean; they sum up to a whole number.
    """

    expected: NDArray[np.float64]

    @property
    def total(self) -> int:
        """Showings of all uploads in an epoch, the same in every one."""
        return round(float(self.expected.sum()))

    def showings(self, offset: float) -> NDArray[np.int64]:
        """How often each upload is shown in one epoch, int64 (n,): its expected number, rounded up or down.

        Over epochs whose offsets are drawn evenly the mean is what is expected (systematic sampling).

        Args:
            offset: 0 to 1, the epoch's own.
        """
        ends = np.floor(np.cumsum(self.expected) + offset)
        ends[-1] = self.total + np.floor(offset)
        counts: NDArray[np.int64] = np.diff(ends, prepend=np.floor(offset)).astype(np.int64)
        return counts


def mixed(
    rule: MixingRule,
    labels: NDArray[np.int64],
    devices: NDArray[np.str_],
    times: NDArray[np.float64],
    pictures: int,
) -> Mixture:
    """Apply the rule.

    Args:
        labels, devices, times: of each upload, (n,), n at least 1; times in seconds.
        pictures: of the base set, each of which is shown once an epoch.
    """
    worth = 0.5 ** ((times.max() - times) / DAY_SECONDS / rule.half_life_days)
    worth /= np.bincount(labels, worth)[labels] ** rule.balance
    shares = _capped(worth / worth.sum(), devices, rule.device_share)
    room = min(pictures * rule.share / (1 - rule.share), rule.repeats * len(labels))
    expected = np.minimum(shares * room, rule.repeats)
    whole = max(1, int(expected.sum() + 1e-6))
    return Mixture(expected * (whole / expected.sum()))


def _capped(shares: NDArray[np.float64], devices: NDArray[np.str_], most: float) -> NDArray[np.float64]:
    """Shares of which no device has more than it may."""
    _, of_device = np.unique(devices, return_inverse=True)
    count = int(of_device.max()) + 1
    most = min(1.0, max(most, 2 / count))
    is_cut = np.zeros(count, np.bool_)
    for _ in range(ROUNDS):
        by_device = np.bincount(of_device, shares, count)
        over = by_device > most * (1 + 1e-9)
        if not over.any():
            break
        is_cut |= over
        left, free = 1 - most * int(is_cut.sum()), max(float(by_device[~is_cut].sum()), 1e-12)
        factors = np.where(is_cut, most / by_device, left / free)
        shares = shares * factors[of_device]
    return shares
