"""Answers are stored before they are given, and looked up when a frame is sent again."""

from collections.abc import Mapping, Sequence
from functools import partial
from time import perf_counter

from cloud_server.errors import (
    ConstraintError,
    SequenceError,
    SequenceTakenError,
    SequenceTooHighError,
    StorageError,
    TokenError,
)
from cloud_server.fleet.devices import Device
from cloud_server.inference.answering import Offer
from cloud_server.metrics import Metrics, Stage
from cloud_server.quality.estimates import MILLION
from cloud_server.storage.database import Database, Transaction
from cloud_server.storage.rows import devices, results, sums
from cloud_server.storage.rows.results import StoredResult
from shared.wire import is_too_high

Outcome = StoredResult | SequenceTakenError | StorageError | TokenError
"""What came of storing an answer: it, an earlier one of the same frame, or why there is none."""


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
    ) -> Mapping[int | None, StoredResult | SequenceError]:
        """The answers that the device's frames have already, by sequence; an error where one cannot have its number.

        That is where another frame has it, or may have had it, since the answers of such numbers are deleted; and where
        it is too high. Sequences above the highest one that this process knows of need no look-up: should there be an
        answer all the same, of another process, then `store` finds it.

        Args:
            digests: the `scan_digest` of each frame by its sequence.

        Raises:
            StorageError: the database does not answer.
        """
        too_high = await self._too_high(device, digests)
        last = await self._last_sequence(device)
        keys = [(device.row_id, sequence) for sequence in digests if sequence <= last]
        known = await self._known(device, digests, keys) if keys else {}
        return dict([*known.items(), *too_high.items()])

    async def store(self, offers: Sequence[Offer]) -> Sequence[Outcome]:
        """Store answers; returns what is to be answered to each frame.

        That is the offered result itself, an earlier one that another server stored, or why neither is there: the
        database, another frame that has the number or may have had it, or that the device was deleted.
        """
        started = perf_counter()
        stored = await self._stored(offers)
        self._metrics.observe(Stage.COMMIT, perf_counter() - started)
        for offer, outcome in zip(offers, stored, strict=True):
            if isinstance(outcome, StoredResult | SequenceTakenError):
                device = offer.waiting.device
                device.last_sequence = max(_highest_of(outcome), device.last_sequence or 0)
        return stored

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

    async def _too_high(self, device: Device, digests: Mapping[int, int]) -> Mapping[int, SequenceTooHighError]:
        """An error for each number that is too high; the device goes on above all those of the request that are not."""
        highest_asked = max(digests, default=-1)
        if not is_too_high(highest_asked, await self._last_sequence(device)):
            return {}
        last = await self._look_up_last(device)  # another process may know of a higher one
        highest = max(last, 0, *(sequence for sequence in digests if not is_too_high(sequence, last)))
        return {n: SequenceTooHighError(n, highest) for n in digests if is_too_high(n, last)}

    async def _known(
        self, device: Device, digests: Mapping[int, int], keys: Sequence[tuple[int, int]]
    ) -> dict[int, StoredResult | SequenceTakenError]:
        """What the database has under these numbers, or may have had, and whether it is of the same frames."""
        found, expired = await self._database.read(partial(results.look_up, keys=keys, device_id=device.row_id))
        same = {sequence: result for (_, sequence), result in found.items() if result.is_of(digests[sequence])}
        for result in same.values():
            if result.kind is None:
                self._metrics.count_replay(device.family)
        answers: dict[int, StoredResult | SequenceTakenError] = dict(same)
        taken = [sequence for key in keys if (sequence := key[1]) not in same and (key in found or sequence <= expired)]
        if taken:
            highest = await self._database.read(partial(results.last_sequence, device_id=device.row_id))
            answers.update((sequence, SequenceTakenError(sequence, highest)) for sequence in taken)
        return answers

    async def _last_sequence(self, device: Device) -> int:
        return await self._look_up_last(device) if device.last_sequence is None else device.last_sequence

    async def _look_up_last(self, device: Device) -> int:
        highest = await self._database.read(partial(results.last_sequence, device_id=device.row_id))
        # Another request of the device may have stored an answer meanwhile.
        device.last_sequence = max(highest, -1 if device.last_sequence is None else device.last_sequence)
        return device.last_sequence


def _store(transaction: Transaction, offers: Sequence[Offer], shard: int) -> list[StoredResult | SequenceTakenError]:
    """Store a micro-batch's answers and count them in one transaction, so that each frame counts once."""
    stored = results.store(transaction, [offer.result for offer in offers])
    zipped = zip(offers, stored, strict=True)
    is_new = (offer for offer, outcome in zipped if outcome == offer.result)
    new = [offer for offer in is_new if offer.is_counted and offer.result.kind is None]
    if new:  # of one micro-batch, and so of one sum
        key = sums.key_of(new[0].waiting.device.family, new[0].result)
        scan_bytes = sum(offer.waiting.scan_bytes for offer in new)
        confidences = [offer.prediction.confidence for offer in new if offer.is_estimated]
        row = sums.AnswerSum(*key, shard, len(new), scan_bytes)
        row = row._replace(estimated=len(confidences), expected_millionths=round(sum(confidences) * MILLION))
        sums.add_answer(transaction, row)
    return [_of_same_frame(transaction, offer, outcome) for offer, outcome in zip(offers, stored, strict=True)]


def _of_same_frame(
    transaction: Transaction, offer: Offer, outcome: StoredResult | None
) -> StoredResult | SequenceTakenError:
    if outcome is not None and outcome.is_of(offer.waiting.scan_digest):
        return outcome
    device_id, sequence = offer.result.device_id, offer.result.sequence
    return SequenceTakenError(sequence, results.last_sequence(transaction, device_id))


def _highest_of(outcome: StoredResult | SequenceTakenError) -> int:
    return outcome.sequence if isinstance(outcome, StoredResult) else outcome.highest_sequence
