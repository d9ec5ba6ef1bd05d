"""A frame's whole way: known already? choose the lane, queue, classify, store, answer."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter, time_ns
from typing import NamedTuple

from cloud_server.errors import QueueFullError, StorageError
from cloud_server.feedback import results
from cloud_server.feedback.recent_frames import RecentFrame
from cloud_server.feedback.results import StoredResult
from cloud_server.feedback.sampler import FrameAnswer, Sampler
from cloud_server.fleet.devices import Device, Devices
from cloud_server.inference.batcher import Batcher, BatcherLimits
from cloud_server.inference.classify import Classified, Prediction, classify
from cloud_server.inference.lanes import Lanes
from cloud_server.inference.pending import Pending
from cloud_server.inference.routing import Lane
from cloud_server.inference.workers import Workers
from cloud_server.metrics import Metrics, Stage
from cloud_server.storage.database import Database
from shared.errors import DctwireError, PeerError
from shared.jpeg import EOI, FrameInfo, inspect
from shared.wire import FrameResult


class Frame(NamedTuple):
    """One JPEG as it was sent.

    Args:
        sequence: the device's number for it; None: it has none, and its answer is not stored.
        head: what frames of a batch share, all before their scan. None: nothing is known of it.
    """

    sequence: int | None
    data: bytes
    head: bytes | None = None


Answer = StoredResult | FrameResult
"""FrameResult: of a frame that has no number."""


@dataclass(frozen=True, slots=True)
class Answers:
    """An outcome a frame, in order, and how many bytes of those that could be read are entropy-coded data."""

    outcomes: list[Answer | DctwireError]
    scan_bytes: int


@dataclass(slots=True, eq=False)
class _Waiting:
    """A frame in the queue or with a worker; `askers`: each request that wants its outcome, and as which of its own."""

    device: Device
    lane: Lane
    frame: Frame
    askers: "list[tuple[Pending[Answer], int]]"
    since: float
    is_settled: bool = False


class Ingest:
    """Answers frames. An answer is durable before it is given, and given again whenever the frame is sent again."""

    def __init__(
        self,
        database: Database,
        devices: Devices,
        lanes: Lanes,
        metrics: Metrics,
        workers: Workers,
        sampler: Sampler,
        queue_max: int,
    ) -> None:
        self._database = database
        self._devices = devices
        self._lanes = lanes
        self._metrics = metrics
        self._workers = workers
        self._sampler = sampler
        limits = BatcherLimits(workers.count, queue_max)
        soon = asyncio.get_running_loop().call_soon
        self._batcher: Batcher[Lane, _Waiting] = Batcher(limits, _batch_max, self._run, soon)
        self._in_flight: dict[tuple[int, int], _Waiting] = {}
        self._storing: set[asyncio.Task[None]] = set()

    @property
    def depth(self) -> int:
        """Frames waiting for a worker."""
        return self._batcher.depth

    def check_room(self, wait_seconds: float) -> None:
        """Whether one more frame can be taken, and answered within so many seconds, going by what waits already.

        Raises:
            QueueFullError: no.
        """
        self._batcher.check_room()
        backlog_seconds = self._batcher.backlog_seconds
        if backlog_seconds > wait_seconds:
            raise QueueFullError(f"{self.depth} frames are waiting, for {backlog_seconds:.1f} seconds more")

    async def answer(self, device: Device, frames: Sequence[Frame], wait_seconds: float) -> Answers:
        """One answer or error a frame, in order; no frame's error touches another's answer.

        When the task is cancelled, what still waits for a worker leaves the queue.

        Raises:
            NotReadyError: the family has no model yet.
            StorageError: stored answers cannot be looked up.
        """
        until = perf_counter() + wait_seconds
        await self._lanes.require(device.family)
        stored = await self._stored(device, frames)
        infos = _inspect(frames)
        lanes = await self._lanes.of(device.family, infos, until)
        pending: Pending[Answer] = Pending(len(frames))
        waiting = []
        for index, (frame, lane) in enumerate(zip(frames, lanes, strict=True)):
            if (known := stored.get(frame.sequence)) is not None:
                pending.settle(index, known)
            elif isinstance(lane, DctwireError):
                pending.settle(index, lane)
            else:
                waiting.append(self._ask(device, lane, frame, pending, index))
        self._batcher.start()
        try:
            outcomes = await pending.outcomes(until - perf_counter())
        finally:
            self._leave(waiting, pending)
        return Answers(outcomes, sum(map(_scan_bytes, frames, infos)))

    async def classify(
        self, device: Device, frames: Sequence[bytes], wait_seconds: float
    ) -> list[FrameResult | DctwireError]:
        """The same for frames without numbers: nothing is stored, and the results have no id.

        Raises:
            NotReadyError: the family has no model yet.
        """
        answers = await self.answer(device, [Frame(None, data) for data in frames], wait_seconds)
        return [outcome for outcome in answers.outcomes if not isinstance(outcome, StoredResult)]

    async def _stored(self, device: Device, frames: Sequence[Frame]) -> dict[int | None, StoredResult]:
        """Earlier answers, by sequence. Numbers above the device's highest need no look-up."""
        if device.last_sequence is None:
            highest = await self._database.read(partial(results.last_sequence, device_id=device.row_id))
            device.last_sequence = max(highest, -1 if device.last_sequence is None else device.last_sequence)
        last = device.last_sequence
        keys = [(device.row_id, one.sequence) for one in frames if one.sequence is not None and one.sequence <= last]
        if not keys:
            return {}
        found = await self._database.read(partial(results.find, keys=keys))
        for _ in found:
            self._metrics.count_replay(device.family)
        return {sequence: result for (_, sequence), result in found.items()}

    def _ask(self, device: Device, lane: Lane, frame: Frame, pending: Pending[Answer], index: int) -> _Waiting | None:
        """Queue a frame, or wait for the same one of an earlier request; None: it has its outcome already."""
        key = None if frame.sequence is None else (device.row_id, frame.sequence)
        if key is not None and (earlier := self._in_flight.get(key)) is not None:
            earlier.askers.append((pending, index))
            return earlier
        waiting = _Waiting(device, lane, frame, [(pending, index)], perf_counter())
        try:
            self._batcher.put(lane, device.row_id, waiting)
        except QueueFullError as error:
            pending.settle(index, error)
            return None
        if key is not None:
            self._in_flight[key] = waiting
        return waiting

    def _leave(self, waiting: Sequence[_Waiting | None], pending: Pending[Answer]) -> None:
        """Let go of what was not answered: unless another request wants it too, or a worker has it already."""
        if pending.is_complete:
            return
        for one in waiting:
            if one is None or one.is_settled:
                continue
            one.askers = [asker for asker in one.askers if asker[0] is not pending]
            if not one.askers and self._batcher.remove(one.lane, one.device.row_id, one):
                self._done(one)

    def _run(self, lane: Lane, batch: Sequence[_Waiting]) -> None:
        frames = [waiting.frame.data for waiting in batch]
        self._workers.submit(partial(classify, lane, frames), partial(self._classified, lane, batch, perf_counter()))

    def _classified(
        self, lane: Lane, batch: Sequence[_Waiting], started: float, classified: Classified | Exception
    ) -> None:
        self._batcher.free(len(batch), perf_counter() - started)
        if isinstance(classified, Exception):  # a fault of ours; each request answers and logs it
            self._fail(batch, classified)
            return
        waited_seconds = started - min(waiting.since for waiting in batch)
        self._metrics.observe_batch(len(batch), waited_seconds, classified.decode_seconds, classified.infer_seconds)
        answer = _Answering(lane)
        offers = []
        for waiting, outcome in zip(batch, classified.outcomes, strict=True):
            if not isinstance(outcome, Prediction):
                self._settle(waiting, outcome)
            elif waiting.frame.sequence is None:
                self._settle(waiting, answer.unstored(outcome))
            else:
                offers.append(_Offer(waiting, outcome, answer.stored(waiting.device, waiting.frame.sequence, outcome)))
        if offers:
            storing = asyncio.ensure_future(self._store(lane, offers))
            self._storing.add(storing)
            storing.add_done_callback(self._storing.discard)

    async def _store(self, lane: Lane, offers: "Sequence[_Offer]") -> None:
        started = perf_counter()
        offered = [offer.result for offer in offers]
        try:
            stored: Sequence[StoredResult | StorageError] = await self._database.write(
                partial(results.store, offered=offered)
            )
        except StorageError as error:
            stored = [error] * len(offered)
        except Exception as error:  # noqa: BLE001 - a fault of ours; each request answers and logs it
            self._fail([offer.waiting for offer in offers], error)
            return
        self._metrics.observe(Stage.COMMIT, perf_counter() - started)
        first = [offer for offer, outcome in zip(offers, stored, strict=True) if outcome == offer.result]
        self._note(lane, first)
        for offer, outcome in zip(offers, stored, strict=True):
            self._settle(offer.waiting, outcome)

    def _note(self, lane: Lane, offers: "Sequence[_Offer]") -> None:
        """Count first answers, once they are durable."""
        labels, names = lane.model.labels, lane.model.metric_labels
        for offer in offers:
            device = offer.waiting.device
            device.last_sequence = max(offer.result.sequence, device.last_sequence or 0)
            self._devices.touch(device, lane.tables)
            frame = RecentFrame(
                device.row_id, offer.result.sequence, device.family, offer.waiting.frame.data, lane.decoder.tables
            )
            label = labels[offer.prediction.label]
            self._sampler.offer(frame, FrameAnswer(label, offer.prediction.confidence, len(labels), lane.match))
        if offers:
            family = offers[0].waiting.device.family
            counts = Counter(names[offer.prediction.label] for offer in offers)
            self._metrics.count_answers(family, lane.tables, lane.match, counts)

    def _settle(self, waiting: _Waiting, outcome: Answer | DctwireError) -> None:
        self._done(waiting)
        for pending, index in waiting.askers:
            pending.settle(index, outcome)

    def _fail(self, batch: Sequence[_Waiting], error: Exception) -> None:
        for waiting in batch:
            self._done(waiting)
            for pending, _ in waiting.askers:
                pending.fail(error)

    def _done(self, waiting: _Waiting) -> None:
        """Nobody can ask for this frame any more: from now on it is stored, or new."""
        waiting.is_settled = True
        if waiting.frame.sequence is not None:
            del self._in_flight[waiting.device.row_id, waiting.frame.sequence]


class _Offer(NamedTuple):
    """A frame's answer, to be stored."""

    waiting: _Waiting
    prediction: Prediction
    result: StoredResult


def _batch_max(lane: Lane) -> int:
    return lane.model.classifier.batch_max


def _inspect(frames: Sequence[Frame]) -> list[FrameInfo | PeerError]:
    """What each frame's markers say. Where tables are named by id, a head says all but the scan's size."""
    by_head: dict[bytes | None, FrameInfo] = {}
    infos: list[FrameInfo | PeerError] = []
    for frame in frames:
        info = by_head.get(frame.head) or _inspect_one(frame.data)
        if frame.head is not None and isinstance(info, FrameInfo) and info.quant_id is None:
            by_head[frame.head] = info
        infos.append(info)
    return infos


def _inspect_one(data: bytes) -> FrameInfo | PeerError:
    try:
        return inspect(data)
    except PeerError as error:
        return error


def _scan_bytes(frame: Frame, info: FrameInfo | PeerError) -> int:
    """Entropy-coded bytes of a frame; 0 when it cannot be read."""
    if isinstance(info, PeerError):
        return 0
    return info.scan_bytes if frame.head is None else len(frame.data) - len(frame.head) - len(EOI)


class _Answering:
    """Makes answers of a micro-batch's predictions."""

    def __init__(self, lane: Lane) -> None:
        self._labels = lane.model.labels
        self._model = lane.model.name
        self._match = lane.match
        self._tables = lane.tables
        self._received_at_ns = time_ns()

    def stored(self, device: Device, sequence: int, prediction: Prediction) -> StoredResult:
        """Of a frame with a number."""
        return StoredResult(
            device.row_id,
            sequence,
            self._labels[prediction.label],
            round(prediction.confidence, 4),
            self._model,
            self._match.value,
            self._tables,
            self._received_at_ns,
        )

    def unstored(self, prediction: Prediction) -> FrameResult:
        """Of a frame without."""
        return FrameResult.model_construct(
            id="",
            label=self._labels[prediction.label],
            confidence=round(prediction.confidence, 4),
            model=self._model,
            match=self._match,
        )
