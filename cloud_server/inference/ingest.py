"""A frame's whole way: known already? inspect, choose the lane, queue, classify, store, answer."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from time import perf_counter, time_ns

from cloud_server.database import Database
from cloud_server.errors import StorageError
from cloud_server.feedback import results
from cloud_server.feedback.results import StoredResult
from cloud_server.feedback.sampler import Sampler
from cloud_server.fleet.devices import Device, Devices
from cloud_server.inference.batcher import Batcher, BatcherLimits, Waiting
from cloud_server.inference.classify import Prediction, classify
from cloud_server.inference.lanes import Lanes
from cloud_server.inference.serving import Lane
from cloud_server.metrics import Metrics, Stage
from shared.errors import DctwireError, PeerError
from shared.jpeg import FrameInfo, inspect
from shared.wire import Match

INSPECT_INLINE_BYTES = 32 << 10


@dataclass(frozen=True, slots=True)
class Frame:
    """One JPEG as a device sent it, and the device's number for it."""

    sequence: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """A frame's answer; `scan_bytes` of it is entropy-coded data (0 when a re-sent body cannot be read)."""

    result: StoredResult
    scan_bytes: int


@dataclass(frozen=True, slots=True)
class _Work:
    device: Device
    frame: Frame


class Ingest:
    """Answers frames. An answer is durable before it is given, and given again whenever the frame is sent again."""

    def __init__(
        self,
        database: Database,
        devices: Devices,
        lanes: Lanes,
        metrics: Metrics,
        pool: Executor,
        limits: BatcherLimits,
        sampler: Sampler,
    ) -> None:
        self._database = database
        self._devices = devices
        self._lanes = lanes
        self._wait_max_seconds = limits.wait_max_seconds
        self._metrics = metrics
        self._pool = pool
        self._sampler = sampler
        self._batcher: Batcher[Lane, _Work, StoredResult] = Batcher(limits, self._run)
        self._in_flight: dict[tuple[int, int], Waiting[_Work, StoredResult]] = {}

    @property
    def depth(self) -> int:
        """Frames waiting for a worker."""
        return self._batcher.depth

    async def answer(self, device: Device, frames: Sequence[Frame]) -> list[Answered | DctwireError]:
        """One answer or error a frame, in order; no frame's error touches another's answer.

        Raises:
            NotReadyError: the family has no model yet.
            StorageError: stored answers cannot be looked up.
        """
        until = perf_counter() + self._wait_max_seconds
        self._lanes.require(device.family)
        stored = await self._stored(device, frames)
        inspected = await self._inspect(frames)
        lanes = await self._lanes.of(device.family, inspected, until)
        waiting = [
            stored.get(frame.sequence) or self._queue(lane, device, frame)
            for frame, lane in zip(frames, lanes, strict=True)
        ]
        self._batcher.start()
        answers = []
        for awaited, info in zip(waiting, inspected, strict=True):
            outcome = await self._batcher.wait(awaited) if isinstance(awaited, Waiting) else awaited
            scan_bytes = info.scan_bytes if isinstance(info, FrameInfo) else 0
            answers.append(Answered(outcome, scan_bytes) if isinstance(outcome, StoredResult) else outcome)
        return answers

    async def _stored(self, device: Device, frames: Sequence[Frame]) -> dict[int, StoredResult]:
        """Earlier answers, by sequence. Numbers above the device's highest need no look-up."""
        if device.last_sequence is None:
            highest = await self._database.read(partial(results.last_sequence, device_id=device.row_id))
            device.last_sequence = max(highest, -1 if device.last_sequence is None else device.last_sequence)
        keys = [(device.row_id, frame.sequence) for frame in frames if frame.sequence <= device.last_sequence]
        if not keys:
            return {}
        found = await self._database.read(partial(results.find, keys=keys))
        for _ in found:
            self._metrics.count_replay(device.family)
        return {sequence: result for (_, sequence), result in found.items()}

    async def _inspect(self, frames: Sequence[Frame]) -> list[FrameInfo | PeerError]:
        if sum(len(frame.data) for frame in frames) <= INSPECT_INLINE_BYTES:
            return _inspect_all(frames)
        return await asyncio.get_running_loop().run_in_executor(self._pool, _inspect_all, frames)

    def _queue(
        self, lane: Lane | DctwireError, device: Device, frame: Frame
    ) -> Waiting[_Work, StoredResult] | DctwireError:
        if isinstance(lane, DctwireError):
            return lane
        key = (device.row_id, frame.sequence)
        if (earlier := self._in_flight.get(key)) is not None:
            return earlier
        try:
            waiting = self._batcher.put(lane, _Work(device, frame))
        except DctwireError as error:
            return error
        self._in_flight[key] = waiting
        waiting.answer.add_done_callback(lambda _: self._in_flight.pop(key, None))
        return waiting

    async def _run(self, lane: Lane, batch: Sequence[Waiting[_Work, StoredResult]], free: Callable[[], None]) -> None:
        try:
            await self._classify_and_store(lane, batch, free)
        except Exception as error:  # noqa: BLE001 - a fault of ours; each request answers and logs it
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)

    async def _classify_and_store(
        self, lane: Lane, batch: Sequence[Waiting[_Work, StoredResult]], free: Callable[[], None]
    ) -> None:
        started = perf_counter()
        for waiting in batch:
            self._metrics.observe(Stage.QUEUE, started - waiting.since)
        frames = [waiting.work.frame.data for waiting in batch]
        try:
            classified = await asyncio.get_running_loop().run_in_executor(self._pool, classify, lane, frames)
        finally:
            free()
        self._metrics.observe_batch(len(batch), classified.decode_seconds, classified.infer_seconds)
        offers = []
        for waiting, outcome in zip(batch, classified.outcomes, strict=True):
            if isinstance(outcome, Prediction):
                offers.append((waiting, outcome, _result(lane, waiting.work, outcome)))
            elif not waiting.answer.done():
                waiting.answer.set_result(outcome)
        if offers:
            await self._store(lane, offers)

    async def _store(
        self, lane: Lane, offers: Sequence[tuple[Waiting[_Work, StoredResult], Prediction, StoredResult]]
    ) -> None:
        started = perf_counter()
        offered = [result for _, _, result in offers]
        try:
            stored: Sequence[StoredResult | StorageError] = await self._database.write(
                partial(results.store, offered=offered)
            )
        except StorageError as error:
            stored = [error] * len(offered)
        self._metrics.observe(Stage.COMMIT, perf_counter() - started)
        for (waiting, prediction, offer), outcome in zip(offers, stored, strict=True):
            if outcome == offer:
                self._note(lane, waiting.work, prediction)
            if not waiting.answer.done():
                waiting.answer.set_result(outcome)

    def _note(self, lane: Lane, work: _Work, prediction: Prediction) -> None:
        """Count a frame's first answer, once it is durable."""
        device = work.device
        device.last_sequence = max(work.frame.sequence, device.last_sequence or 0)
        self._devices.touch(device, lane.tables)
        self._sampler.offer(device, lane, work.frame.sequence, work.frame.data, prediction)
        label = lane.model.metric_labels[prediction.label]
        self._metrics.count_answer(device.family, lane.tables, lane.match, label)


def _inspect_all(frames: Sequence[Frame]) -> list[FrameInfo | PeerError]:
    return [_inspect_one(frame.data) for frame in frames]


def _inspect_one(data: bytes) -> FrameInfo | PeerError:
    try:
        return inspect(data)
    except PeerError as error:
        return error


def _result(lane: Lane, work: _Work, prediction: Prediction) -> StoredResult:
    return StoredResult(
        device_id=work.device.row_id,
        sequence=work.frame.sequence,
        label=lane.model.labels[prediction.label],
        confidence=round(prediction.confidence, 4),
        model=lane.model.name,
        match=Match(lane.match).value,
        tables=lane.tables,
        received_at_ns=time_ns(),
    )
