"""A frame's whole way: known already? choose the lane, queue, classify, store, tell the observers, answer."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from time import perf_counter

from cloud_server.answered import Observers
from cloud_server.errors import ClassifierFaultError, NotReadyError, QueueFullError
from cloud_server.fleet.devices import Device
from cloud_server.inference.answering import Answering, Offer, answered_frames
from cloud_server.inference.batcher import Batcher
from cloud_server.inference.classify import Classified, Prediction
from cloud_server.inference.frames import Frame, inspect_all, scan_bytes, scan_digest
from cloud_server.inference.lanes import Lanes
from cloud_server.inference.pending import Pending, Ranking
from cloud_server.inference.pool import Pool
from cloud_server.inference.routing import Lane
from cloud_server.inference.storing import AnswerStore
from cloud_server.inference.waiting import Answer, WaitingFrame, WaitingFrames
from cloud_server.inference.watchdog import Run, Watchdog
from cloud_server.inference.workers import Workers
from cloud_server.metrics import Metrics
from cloud_server.storage.rows.results import StoredResult
from shared.bundle.coefficients import CoefficientStatistics
from shared.errors import DctwireError, PeerError
from shared.jpeg import FrameInfo
from shared.wire import FrameResult


@dataclass(frozen=True, slots=True)
class Answers:
    """The outcome of each frame, in order, and the size of all their entropy-coded data together.

    `rankings` has the likeliest labels by a frame's index, where they were asked for and are known; none are stored.
    """

    outcomes: list[Answer | DctwireError]
    scan_bytes: int
    rankings: Mapping[int, Ranking]


class Ingest:
    """Answers frames. An answer is durable before it is given, and given again whenever the frame is sent again.

    Frames of another size than their classifier's have workers and a queue of their own: a large picture may take as
    long as ten thousand small frames, and none of those waits for it.

    Args:
        workers: for frames of the classifiers' sizes.
        resizers: for those of other sizes.
        watchdog: told of what does not come to an end.
        queue_max_frames: how many frames may wait for a worker, of each kind.
        is_quarantined: whether a device, by its row, is in quarantine, so that its frames count nowhere.
        now_ns: nanoseconds since 1970, stored with each answer.
    """

    def __init__(
        self,
        answers: AnswerStore,
        lanes: Lanes,
        workers: Workers,
        resizers: Workers,
        metrics: Metrics,
        observers: Observers,
        watchdog: Watchdog,
        queue_max_frames: int,
        is_quarantined: Callable[[int], bool],
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._answers = answers
        self._lanes = lanes
        self._metrics = metrics
        self._observers = observers
        self._is_quarantined = is_quarantined
        self._watchdog = watchdog
        self._now_ns = now_ns
        self._quick = self._pool(workers, queue_max_frames)
        self._slow = self._pool(resizers, queue_max_frames)
        self._waiting = WaitingFrames(self._batcher_of)
        self._storing: set[asyncio.Task[None]] = set()

    @property
    def depth(self) -> int:
        """Frames waiting for a worker."""
        return self._quick.batcher.depth + self._slow.batcher.depth

    @property
    def oldest_seconds(self) -> float:
        """For how long the oldest frame has waited that still waits for a worker; 0 where none does."""
        firsts = chain(self._quick.batcher.firsts(), self._slow.batcher.firsts())
        return max((perf_counter() - waiting.since for waiting in firsts), default=0.0)

    def check_room(self, wait_seconds: float) -> None:
        """Check that one more frame can be taken, and answered within so many seconds, going by what waits already.

        Whether it will have to be resized is known when it is here.

        Raises:
            QueueFullError: it cannot.
        """
        self._quick.batcher.check_room()
        backlog_seconds = self._quick.batcher.backlog_seconds
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
        infos = inspect_all(frames)
        scans = list(map(scan_bytes, frames, infos))
        digests = list(map(scan_digest, frames, scans))
        earlier = await self._answers.earlier(device, _readable(frames, infos, digests))
        # A companion is compared with its frame: encoded anew, it would say nothing of its own tables.
        may_resize = not any(frame.companion for frame in frames)
        lanes = await self._lanes.of(device, infos, until, may_resize=may_resize)
        pending: Pending[Answer] = Pending(len(frames))
        waiting: list[WaitingFrame] = []
        for index, (frame, lane) in enumerate(zip(frames, lanes, strict=True)):
            if (known := earlier.get(frame.sequence)) is not None:
                pending.settle(index, known)
                continue
            way = self._watchdog.way(lane, digests[index]) if self._watchdog.blamed else lane
            if isinstance(way, DctwireError):
                pending.settle(index, way)
            elif one := self._waiting.ask(device, way, frame, scans[index], digests[index], (pending, index)):
                waiting.append(one)
        self._quick.batcher.start()
        self._slow.batcher.start()
        try:
            outcomes = await pending.outcomes(until - perf_counter())
        finally:
            self._waiting.leave(waiting, pending)
        return Answers(outcomes, sum(scans), pending.rankings)

    async def classify(
        self, device: Device, frames: Sequence[bytes], wait_seconds: float
    ) -> list[FrameResult | DctwireError]:
        """One answer or error for each frame without a number, in order; nothing is stored, the results have no id.

        Raises:
            NotReadyError: the family has no model yet.
        """
        answers = await self.answer(device, [Frame(None, data) for data in frames], wait_seconds)
        return [outcome for outcome in answers.outcomes if not isinstance(outcome, StoredResult)]

    @property
    def lost_threads(self) -> int:
        """Threads that are inside a classifier's operator and do not come back."""
        return self._quick.lost + self._slow.lost

    async def watch(self) -> None:
        """Look after classifiers that do not come to an end, again and again."""
        while True:
            await asyncio.sleep(self._watchdog.limits.look_seconds)
            for pool in (self._quick, self._slow):
                pool.look(perf_counter())
                if self._watchdog.is_closing:
                    pool.clear_closed()

    def require_threads(self) -> None:
        """Check that threads are left to classify: one that does not come back ends with the process only.

        Raises:
            NotReadyError: too few are left.
        """
        if self._quick.is_spent or self._slow.is_spent:
            raise NotReadyError(f"{self.lost_threads} threads are inside classifiers that do not come to an end")

    def stop_runs(self) -> None:
        """Have whatever is still being classified end soon; nobody waits for it."""
        self._quick.stop_all()
        self._slow.stop_all()

    def _pool(self, workers: Workers, queue_max_frames: int) -> Pool:
        return Pool(
            workers,
            queue_max_frames,
            self._watchdog,
            self._classified,
            self._settle,
            asyncio.get_running_loop().call_soon,
            perf_counter,
            wants_statistics=self._wants_statistics,
        )

    def _wants_statistics(self, lane: Lane, batch: Sequence[WaitingFrame]) -> bool:
        told = (one for one in batch if one.frame.companion is None and one.frame.sequence is not None)
        devices = [one.device.row_id for one in told if not self._is_quarantined(one.device.row_id)]
        return self._observers.want_statistics(lane.model.name, lane.match, devices)

    def _settle(self, waiting: WaitingFrame, outcome: DctwireError) -> None:
        if isinstance(outcome, ClassifierFaultError):
            self._metrics.count_classifier_fault(waiting.lane.model.name)
        self._waiting.settle(waiting, outcome)

    def _batcher_of(self, lane: Lane) -> Batcher[Lane, WaitingFrame]:
        return (self._quick if lane.transcoder is None else self._slow).batcher

    def _classified(self, run: Run, classified: Classified | Exception) -> None:
        lane, batch = run.lane, run.batch
        if isinstance(classified, ClassifierFaultError):
            self._try_apart(batch, classified)
            return
        if isinstance(classified, Exception):  # a fault of ours; each request answers and logs it
            self._waiting.fail(batch, classified)
            return
        waited_seconds = run.submitted - min(waiting.since for waiting in batch)
        self._metrics.observe_batch(len(batch), waited_seconds, classified.decode_seconds, classified.infer_seconds)
        answering = Answering(lane, self._now_ns(), self._is_quarantined)
        offers = []
        for row, (waiting, outcome) in enumerate(zip(batch, classified.outcomes, strict=True)):
            if not isinstance(outcome, Prediction):
                self._settle(waiting, outcome)
            elif waiting.frame.sequence is None:
                self._waiting.settle(waiting, answering.unstored(outcome))
            else:
                offers.append(answering.offer(waiting, waiting.frame.sequence, row, outcome))
        if offers:
            storing = asyncio.ensure_future(self._store(lane, answering, offers, classified.statistics))
            self._storing.add(storing)
            storing.add_done_callback(self._storing.discard)

    def _try_apart(self, batch: Sequence[WaitingFrame], fault: ClassifierFaultError) -> None:
        """Classify the frames of a batch with which the classifier failed one by one, so that one fails no other."""
        if len(batch) == 1:
            self._settle(batch[0], fault)
            return
        for waiting in batch:
            waiting.lane = waiting.lane.alone()
            batcher = self._batcher_of(waiting.lane)
            try:
                batcher.put(waiting.lane, waiting.device.row_id, waiting)
            except DctwireError as error:
                self._settle(waiting, error)
            batcher.start()

    async def _store(
        self, lane: Lane, answering: Answering, offers: Sequence[Offer], statistics: CoefficientStatistics | None
    ) -> None:
        """Store answers, tell the observers of those that are first ones, and give them."""
        try:
            stored = await self._answers.store(offers)
        except Exception as error:  # noqa: BLE001 - a fault of ours; each request answers and logs it
            self._waiting.fail([offer.waiting for offer in offers], error)
            return
        first = [offer for offer, outcome in zip(offers, stored, strict=True) if outcome == offer.result]
        if first:
            for event in answered_frames(lane, first, statistics):
                self._observers.tell(event)
        for offer, outcome in zip(offers, stored, strict=True):
            is_ranked = offer.prediction.ranking and outcome == offer.result
            self._waiting.settle(offer.waiting, outcome, answering.ranking(offer.prediction) if is_ranked else ())


def _readable(
    frames: Sequence[Frame], infos: Sequence[FrameInfo | PeerError], digests: Sequence[int]
) -> dict[int, int]:
    """The digests of frames that have a number, by that; what is no JPEG is refused for that, whatever its number."""
    return {
        frame.sequence: digest
        for frame, info, digest in zip(frames, infos, digests, strict=True)
        if frame.sequence is not None and not isinstance(info, PeerError)
    }
