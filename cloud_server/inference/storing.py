"""Answers are stored before they are given, and looked up when a frame is sent again."""

from collections.abc import Sequence
from functools import partial
from time import perf_counter

from cloud_server.errors import StorageError
from cloud_server.fleet.devices import Device
from cloud_server.inference.answering import Offer
from cloud_server.metrics import Metrics, Stage
from cloud_server.storage.database import Database
from cloud_server.storage.rows import results
from cloud_server.storage.rows.results import StoredResult


class AnswerStore:
    """The stored answers, as the frame's way needs them."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics

    async def earlier(self, device: Device, sequences: Sequence[int | None]) -> dict[int | None, StoredResult]:
        """The answers that the device's frames have already, by sequence.

        Sequences above the device's highest answered one need no look-up.

        Raises:
            StorageError: the database does not answer.
        """
        last = await self._last_sequence(device)
        keys = [(device.row_id, sequence) for sequence in sequences if sequence is not None and sequence <= last]
        if not keys:
            return {}
        found = await self._database.read(partial(results.find, keys=keys))
        for _ in found:
            self._metrics.count_replay(device.family)
        return {sequence: result for (_, sequence), result in found.items()}

    async def store(self, offers: Sequence[Offer]) -> Sequence[StoredResult | StorageError]:
        """Store answers; returns what is to be answered to each frame.

        That is the offered result itself, an earlier one that another server stored meanwhile, or why neither is there.
        """
        started = perf_counter()
        offered = [offer.result for offer in offers]
        try:
            stored: Sequence[StoredResult | StorageError] = await self._database.write(
                partial(results.store, offered=offered)
            )
        except StorageError as error:
            stored = [error] * len(offered)
        self._metrics.observe(Stage.COMMIT, perf_counter() - started)
        for offer, outcome in zip(offers, stored, strict=True):
            if outcome == offer.result:
                device = offer.waiting.device
                device.last_sequence = max(offer.result.sequence, device.last_sequence or 0)
        return stored

    async def _last_sequence(self, device: Device) -> int:
        if device.last_sequence is None:
            highest = await self._database.read(partial(results.last_sequence, device_id=device.row_id))
            # Another request of the device may have stored an answer meanwhile.
            device.last_sequence = max(highest, -1 if device.last_sequence is None else device.last_sequence)
        return device.last_sequence
