"""Answers are stored before they are given, and looked up when a frame is sent again."""

from collections.abc import Mapping, Sequence
from functools import partial
from time import perf_counter

from cloud_server.errors import ConstraintError, SequenceTakenError, StorageError, TokenError
from cloud_server.fleet.devices import Device
from cloud_server.inference.answering import Offer
from cloud_server.metrics import Metrics, Stage
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import devices, results, sums
from cloud_server.storage.rows.results import StoredResult

Outcome = StoredResult | StorageError | TokenError
"""What came of storing an answer: it, an earlier one, or why there is none."""


class AnswerStore:
    """The stored answers, as the frame's way needs them.

    Args:
        shard: of the hourly sums, this process's.
    """

    def __init__(self, database: Database, metrics: Metrics, shard: int = 0) -> None:
        self._database = database
        self._metrics = metrics
        self._shard = shard

    async def earlier(
        self, device: Device, digests: Mapping[int, int]
    ) -> Mapping[int | None, StoredResult | SequenceTakenError]:
        """The answers that the device's frames have already, by sequence; an error where another frame has the number.

        Sequences above the device's highest answered one need no look-up.

        Args:
            digests: the `scan_digest` of each frame by its sequence.

        Raises:
            StorageError: the database does not answer.
        """
        last = await self._last_sequence(device)
        keys = [(device.row_id, sequence) for sequence in digests if sequence <= last]
        if not keys:
            return {}
        found = await self._database.read(partial(results.find, keys=keys))
        same = {sequence: result for (_, sequence), result in found.items() if result.is_of(digests[sequence])}
        for _ in same:
            self._metrics.count_replay(device.family)
        answers: dict[int | None, StoredResult | SequenceTakenError] = dict(same.items())
        if len(same) < len(found):
            highest = await self._database.read(partial(results.last_sequence, device_id=device.row_id))
            taken = (sequence for _, sequence in found if sequence not in same)
            answers.update((sequence, SequenceTakenError(sequence, highest)) for sequence in taken)
        return answers

    async def store(self, offers: Sequence[Offer]) -> Sequence[Outcome | SequenceTakenError]:
        """Store answers; returns what is to be answered to each frame.

        That is the offered result itself, an earlier one that another server stored meanwhile, or why neither is there:
        the database, another frame that has the number meanwhile, or that the device was deleted.
        """
        started = perf_counter()
        stored = await self._stored(offers)
        self._metrics.observe(Stage.COMMIT, perf_counter() - started)
        for offer, outcome in zip(offers, stored, strict=True):
            if outcome == offer.result:
                device = offer.waiting.device
                device.last_sequence = max(offer.result.sequence, device.last_sequence or 0)
        return [
            outcome if outcome is offer.result else _of_same_frame(offer, outcome)
            for offer, outcome in zip(offers, stored, strict=True)
        ]

    async def _stored(self, offers: Sequence[Offer]) -> Sequence[Outcome]:
        """What the database has for each offer now; a deleted device has no answers, and its neighbours have theirs."""
        try:
            return await self._database.write(partial(_store, offers=offers, shard=self._shard))
        except StorageError as error:
            return [error] * len(offers)
        except ConstraintError:
            if not await self._find_deleted(offers):
                raise
        left = [offer for offer in offers if not offer.waiting.device.is_deleted]
        stored = iter(await self._stored(left) if left else ())
        gone = TokenError("no device holds this token any more")
        return [gone if offer.waiting.device.is_deleted else next(stored) for offer in offers]

    async def _find_deleted(self, offers: Sequence[Offer]) -> bool:
        """Note which of the offers' devices the database does not have any more; whether there are any."""
        asking = {offer.waiting.device.row_id: offer.waiting.device for offer in offers}
        there = await self._database.read(partial(devices.existing, row_ids=list(asking)))
        for row_id, device in asking.items():
            device.is_deleted |= row_id not in there
        return len(there) < len(asking)

    async def _last_sequence(self, device: Device) -> int:
        if device.last_sequence is None:
            highest = await self._database.read(partial(results.last_sequence, device_id=device.row_id))
            # Another request of the device may have stored an answer meanwhile.
            device.last_sequence = max(highest, -1 if device.last_sequence is None else device.last_sequence)
        return device.last_sequence


def _store(transaction: Transaction, offers: Sequence[Offer], shard: int) -> list[StoredResult]:
    """Store a micro-batch's answers and count them in one transaction, so that each frame counts once."""
    stored = results.store(transaction, [offer.result for offer in offers])
    new = [offer for offer, outcome in zip(offers, stored, strict=True) if outcome == offer.result]
    if new:  # of one micro-batch, and so of one sum
        key = sums.key_of(new[0].waiting.device.family, new[0].result)
        scan_bytes = sum(offer.waiting.scan_bytes for offer in new)
        sums.add_answer(transaction, sums.AnswerSum(*key, shard, len(new), scan_bytes, 0, 0))
    return stored


def _of_same_frame(offer: Offer, outcome: Outcome) -> Outcome | SequenceTakenError:
    if not isinstance(outcome, StoredResult) or outcome.is_of(offer.waiting.scan_digest):
        return outcome
    return SequenceTakenError(outcome.sequence, max(outcome.sequence, offer.waiting.device.last_sequence or 0))
