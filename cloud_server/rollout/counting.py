"""Counts, by device, what is answered and refused while a rollout of the family is active; told of it as an observer.

Counts are kept in memory and written every few seconds. A process that is killed loses those of its last seconds, on
both sides of the comparison alike.
"""

from collections.abc import Callable
from functools import partial

from cloud_server.answered import AnsweredFrames
from cloud_server.errors import StorageError
from cloud_server.fleet.assignments import Assignments
from cloud_server.fleet.devices import Device
from cloud_server.fleet.exposure import Exposure
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.repeating import every
from cloud_server.storage.rows import rollout_counts
from cloud_server.storage.rows.rollout_counts import Arm, CountRow
from shared.wire import Match

SAVE_SECONDS = 5.0
_FRAMES, _BYTES, _FALLBACK, _REFUSED = range(4)
_Key = tuple[str, int, Arm]


class Counting:
    """The counts of this process that are not written yet: a row for each device and arm that sent anything.

    Args:
        device_of: the device with a row.
    """

    def __init__(self, database: Database, assignments: Assignments, device_of: Callable[[int], Device | None]) -> None:
        self._database = database
        self._assignments = assignments
        self._device_of = device_of
        self._unsaved: dict[_Key, list[int]] = {}

    def observe(self, answered: AnsweredFrames) -> None:
        """Count frames that were answered: one of the two bundles' own by that bundle, others by what the device runs.

        A picture of another size, which is made into a frame here, says nothing of the tables.
        """
        exposure = self._assignments.exposure(answered.family)
        if exposure is None or answered.match is Match.RESIZED:
            return
        arm = self._arm_of(answered, exposure) if answered.match is Match.EXACT else None
        if arm is None and answered.match is Match.EXACT:
            return  # of a third bundle
        is_fallback = int(answered.match is Match.FALLBACK)
        for frame in answered.frames:
            device = self._device_of(frame.device_id)
            if frame.is_counted and device is not None:
                its = arm or self._arm_of_device(device, exposure)
                self._add((exposure.rollout, frame.device_id, its), 1, frame.scan_bytes, is_fallback, 0)

    def count_refused(self, device: Device, frames: int) -> None:
        """Count frames of a device that were refused for what they are."""
        exposure = self._assignments.exposure(device.family)
        if exposure is not None and frames and not self._assignments.is_quarantined(device.row_id):
            self._add((exposure.rollout, device.row_id, self._arm_of_device(device, exposure)), 0, 0, 0, frames)

    async def run(self) -> None:
        """Write what was counted every few seconds, until cancelled."""
        await every(SAVE_SECONDS, self.save, "rollout-counts-not-saved")

    async def save(self) -> None:
        """Write what was counted.

        Raises:
            StorageError: the database does not answer; the next call writes it.
        """
        saving, self._unsaved = self._unsaved, {}
        if not saving:
            return
        try:
            await self._database.write(partial(_save, saving=saving))
        except StorageError:
            for key, numbers in saving.items():
                self._add(key, *numbers)
            raise

    def _arm_of(self, answered: AnsweredFrames, exposure: Exposure) -> Arm | None:
        """Which of the two bundles answered; None: another one."""
        if answered.model == f"{answered.family}/{exposure.assignment.counter}":
            return Arm.NEW
        old = self._assignments.of_family(answered.family)
        return Arm.OLD if old is not None and answered.model == f"{answered.family}/{old.counter}" else None

    def _arm_of_device(self, device: Device, exposure: Exposure) -> Arm:
        target = self._assignments.target(device)
        return Arm.NEW if target is not None and target.seq == exposure.assignment.seq else Arm.OLD

    def _add(self, key: _Key, frames: int, size: int, fallback: int, refused: int) -> None:
        counted = self._unsaved.get(key)
        if counted is None:
            self._unsaved[key] = [frames, size, fallback, refused]
            return
        counted[_FRAMES] += frames
        counted[_BYTES] += size
        counted[_FALLBACK] += fallback
        counted[_REFUSED] += refused


def _save(transaction: Transaction, saving: dict[_Key, list[int]]) -> None:
    for (rollout, device_id, arm), (frames, size, fallback, refused) in saving.items():
        row = CountRow(device_id, arm.value, frames, size, fallback, refused, None)
        rollout_counts.add_counts(transaction, rollout, row)
