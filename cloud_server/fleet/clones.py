"""Two devices with one identity: how it shows, and the mark that an operator sees.

A copied state directory is the same device twice, and nothing in a single request tells the two apart. Two things do
in the long run: two programs that are both alive, and frames that keep coming under numbers that others have.
"""

from collections import deque
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

import structlog

from cloud_server.errors import StorageError
from cloud_server.fleet.devices import Device, Devices
from cloud_server.storage.witness import Witness, unwitnessed

BOOTS_KEPT = 8
"""How many starts of a device's program are remembered."""
CONFLICTS_MAX = 4
CONFLICTS_WITHIN_SECONDS = 3600.0
"""So many requests with taken numbers within an hour are a suspicion: a device that lost its spool has one or two."""
CONFLICTING_MAX = 10_000
_log = structlog.get_logger()


class CloneSign(StrEnum):
    """What showed that a device may be two."""

    TWO_PROGRAMS = "two-programs"
    CONFLICTS = "conflicts"


class Boot(NamedTuple):
    """One start of a device's program: its random name, and for how long it ran when it last told."""

    name: str
    uptime_seconds: float


class Boots(NamedTuple):
    """The last starts of a device's program, the one that told last at the end; whether two of them run at once."""

    seen: tuple[Boot, ...]
    are_two: bool


def after(boots: Sequence[Boot], told: Boot) -> Boots:
    """The starts that are known once a heartbeat `told` of one.

    A start that comes back after another, and has run on meanwhile, runs beside it. One that comes back as it was is
    an old request that was held up on its way.
    """
    earlier = next((boot for boot in boots if boot.name == told.name), None)
    if earlier is None:
        return Boots((*boots, told)[-BOOTS_KEPT:], are_two=False)
    runs_on = told.uptime_seconds > earlier.uptime_seconds
    if earlier == boots[-1]:
        return Boots((*boots[:-1], told if runs_on else earlier), are_two=False)
    if not runs_on:
        return Boots(tuple(boots), are_two=False)
    return Boots((*(boot for boot in boots if boot is not earlier), told), are_two=True)


class Clones:
    """Marks devices that seem to be two. Conflicts are counted by each process for itself.

    Args:
        monotonic: seconds on a clock that never goes back.
        witness: of a device's name, who takes note of its mark.
    """

    def __init__(
        self,
        devices: Devices,
        monotonic: Callable[[], float],
        witness: Callable[[str], Witness] = lambda _device: unwitnessed,
    ) -> None:
        self._devices = devices
        self._monotonic = monotonic
        self._witness = witness
        self._conflicts: dict[int, deque[float]] = {}

    async def note_conflict(self, device: Device) -> None:
        """Note a request with a frame whose number another frame of the device has."""
        now = self._monotonic()
        times = self._conflicts.setdefault(device.row_id, deque(maxlen=CONFLICTS_MAX))
        times.append(now)
        if len(times) == CONFLICTS_MAX and now - times[0] <= CONFLICTS_WITHIN_SECONDS:
            await self.mark(device, CloneSign.CONFLICTS)
        elif len(self._conflicts) > CONFLICTING_MAX:
            self._prune(now)

    async def mark(self, device: Device, sign: CloneSign) -> None:
        """Mark a device, once; where the database does not answer, the next sign does it."""
        if self._devices.clone_mark(device) is not None:
            return
        try:
            await self._devices.mark_clone(device, sign, self._witness(device.public_id))
        except StorageError:
            return
        _log.warning("clone-suspected", device=device.public_id, sign=sign)

    def __len__(self) -> int:
        """How many devices' conflicts are held."""
        return len(self._conflicts)

    def _prune(self, now: float) -> None:
        """Forget conflicts of more than an hour ago; of too many devices, those that conflicted first."""
        last = {row: times for row, times in self._conflicts.items() if now - times[-1] <= CONFLICTS_WITHIN_SECONDS}
        self._conflicts = dict(list(last.items())[-CONFLICTING_MAX // 2 :])
