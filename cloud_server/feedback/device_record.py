"""What is known of one device's answers: its newest frames, those that were kept, how right the labelled ones are."""

from collections.abc import Sequence
from functools import partial

from cloud_server.storage.database import Database
from cloud_server.storage.rows import device_answers as rows
from cloud_server.storage.rows.device_answers import AnswerRow, LabelledRow

LABELLED_MAX = 5000
"""So many of a device's labelled frames are counted, the newest: a camera that labels every frame has millions."""


class DeviceRecords:
    """Looks up what devices' frames were answered; every method raises StorageError when the database is silent."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, device_id: int, limit: int) -> Sequence[AnswerRow]:
        """The answers to the newest frames of a device, by its row, newest first."""
        return await self._database.read(partial(rows.newest, device_id=device_id, limit=limit))

    async def kept(self, device_id: int, limit: int) -> Sequence[AnswerRow]:
        """The same of the newest frames that were kept, of which there are pictures."""
        return await self._database.read(partial(rows.kept, device_id=device_id, limit=limit))

    async def labelled(self, device_id: int) -> Sequence[LabelledRow]:
        """How right the device's newest `LABELLED_MAX` labelled frames were, by who says so; in quarantine or not."""
        return await self._database.read(partial(rows.labelled, device_id=device_id, limit=LABELLED_MAX))
