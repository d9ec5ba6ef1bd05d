"""Whose labels to believe. Pure.

A device is a stranger's hands on a camera before anything else: labels that it sent, or that were given for what it
sent, may be wrong on purpose. The witness is the champion: of the frames that it answers confidently it is seldom
wrong, and where the field has changed, it is wrong at all devices alike. So a device whose labels contradict confident
answers far more often than the fleet's do is not believed.

- **The fleet's rate** is the median of the devices' rates, so neither a device with many labels nor a third of all
  devices can move it much. Of two middle ones it is the lower.
- **Far more often**: even if `slack` more of all labels, or half as many again as the fleet's, were contradicted, so
  many contradictions would have a chance below `false_alarm`, divided by the number of devices (Bonferroni): of a
  hundred honest fleets at most one loses an honest device, however many devices there are.
- **What people found** who review the fleet stands, whatever the device is: it is neither counted nor set aside.
- **Too many outliers** are no outliers: then nobody knows who is right, and nothing is learned.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.errors import TrainerError

NAMED_MOST = 5


@dataclass(frozen=True)
class TrustRule:
    """The rule's numbers.

    Args:
        quota: frames of a device that are looked at, the newest.
        confidence: from which on an answer of the champion is a witness; calibrated.
        labels_least: fewer labels under witness say nothing of a device.
        slack: see above.
        false_alarm: chance that an honest fleet loses any device.
        devices_most: share of the devices under witness that may be set aside.
    """

    quota: int = 2_000
    confidence: float = 0.8
    labels_least: int = 8
    slack: float = 0.1
    false_alarm: float = 0.01
    devices_most: float = 0.3


@dataclass(frozen=True)
class Outlier:
    """A device whose labels are set aside.

    Args:
        labels, contradicted: how many the champion was confident about, and how many of them say something else.
        fleet_rate: share that is contradicted at the median device.
        chance: of so many contradictions at an honest device.
    """

    device: str
    labels: int
    contradicted: int
    fleet_rate: float
    chance: float

    def describe(self) -> str:
        """In words."""
        return (
            f"{self.contradicted} of its {self.labels} labels contradict confident answers, "
            f"where {self.fleet_rate:.0%} do at the median device (chance {self.chance:.0e})"
        )


class PoisonedLabelsError(TrainerError):
    """So many devices' labels cannot be believed that nothing is learned from any.

    Args:
        devices: these devices.
        among: how many there are of which anything can be said.
    """

    def __init__(self, devices: Iterable[str], among: int) -> None:
        self.devices, self.among = tuple(devices), among
        named = ", ".join(self.devices[:NAMED_MOST])
        more = f" and {len(self.devices) - NAMED_MOST} more" if len(self.devices) > NAMED_MOST else ""
        super().__init__(
            f"the labels of {len(self.devices)} of {among} devices contradict the champion far more than the others' "
            f"({named}{more}): nobody can tell who is right, so nothing is learned. Look at their frames, quarantine "
            "or forget the devices that are at fault, or label some of their frames anew"
        )


def within_quota(devices: NDArray[np.str_], times: NDArray[np.float64], quota: int) -> NDArray[np.bool_]:
    """Which frames are among the newest `quota` of their device, bool (n,); of frames of one moment the later rows."""
    newest_first = np.lexsort((np.arange(len(times)), times))[::-1]
    seen: Counter[str] = Counter()
    within = np.zeros(len(devices), np.bool_)
    for row in newest_first.tolist():
        device = str(devices[row])
        within[row] = seen[device] < quota
        seen[device] += 1
    return within


def outliers(
    devices: NDArray[np.str_], is_witnessed: NDArray[np.bool_], is_contradicted: NDArray[np.bool_], rule: TrustRule
) -> tuple[Outlier, ...]:
    """The devices whose labels are not believed, in the order of their ids.

    Args:
        devices: (n,), whose frame each label is of.
        is_witnessed: bool (n,), whether the champion's answer to it is confident, and no reviewer gave the label.
        is_contradicted: bool (n,), whether the label is another than the champion's answer.

    Raises:
        PoisonedLabelsError: too many devices would be set aside.
    """
    names, counts = np.unique(devices[is_witnessed], return_counts=True)
    contradicted = np.array(
        [int((is_contradicted & is_witnessed & (devices == name)).sum()) for name in names.tolist()], np.int64
    )
    enough = counts >= rule.labels_least
    if not enough.any():
        return ()
    names, counts, contradicted = names[enough], counts[enough], contradicted[enough]
    fleet_rate = float(np.sort(contradicted / counts)[(len(names) - 1) // 2])
    allowed = min(0.95, max(fleet_rate + rule.slack, 1.5 * fleet_rate))
    found = tuple(
        _judged(zip(names.tolist(), counts.tolist(), contradicted.tolist(), strict=True), fleet_rate, allowed, rule)
    )
    if len(found) > 1 and len(found) >= rule.devices_most * len(names):
        raise PoisonedLabelsError((one.device for one in found), len(names))
    return found


def upper_tail(successes: int, n: int, chance: float) -> float:
    """Probability of at least so many successes in n independent trials (binomial)."""
    logs = [
        math.lgamma(n + 1)
        - math.lgamma(k + 1)
        - math.lgamma(n - k + 1)
        + k * math.log(chance)
        + (n - k) * math.log1p(-chance)
        for k in range(successes, n + 1)
    ]
    return min(1.0, math.fsum(map(math.exp, logs)))


def _judged(
    records: Iterable[tuple[str, int, int]], fleet_rate: float, allowed: float, rule: TrustRule
) -> Iterable[Outlier]:
    among = list(records)
    for name, labels, contradicted in among:
        chance = upper_tail(contradicted, labels, allowed)
        if chance < rule.false_alarm / len(among):
            yield Outlier(name, labels, contradicted, fleet_rate, chance)
