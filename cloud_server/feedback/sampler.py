"""Chooses frames to keep while they are answered, and keeps them afterwards: uploads never wait for it.

`offer` is called for every answered frame and does a few dictionary look-ups. What it chooses goes through a bounded
queue to one task that stores; when that queue is full the frame is dropped and counted.
"""

import asyncio
import random
import time
from collections.abc import Callable

import structlog

from cloud_server.feedback.reasons import Dropped, Reason, RecentAnswers, SamplingRules, reason_for
from cloud_server.feedback.recent_frames import RecentFrame, RecentFrames
from cloud_server.feedback.sample_store import Kept, NotKept, SampleStore
from cloud_server.fleet.devices import Device
from cloud_server.inference.classify import Prediction
from cloud_server.inference.routing import Lane
from cloud_server.metrics import Metrics

QUEUE_MAX_FRAMES = 64
_log = structlog.get_logger()


class Sampler:
    """One a process. `run` must be running for anything to be stored.

    Args:
        draw: a number from 0..1, evenly; one a frame.
    """

    def __init__(
        self,
        store: SampleStore,
        metrics: Metrics,
        rules: SamplingRules,
        recent_max_bytes: int,
        draw: Callable[[], float] = random.random,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._rules = rules
        self._draw = draw
        self._now = now
        self._recent = RecentFrames(recent_max_bytes)
        self._answers: dict[str, RecentAnswers] = {}
        self._closed: dict[tuple[str, Reason], NotKept] = {}
        self._queue: asyncio.Queue[tuple[RecentFrame, Reason]] = asyncio.Queue(QUEUE_MAX_FRAMES)

    def offer(self, device: Device, lane: Lane, sequence: int, data: bytes, prediction: Prediction) -> None:
        """Tell of a frame whose answer is durable. Never waits, never raises."""
        try:
            self._offer(device, lane, sequence, data, prediction)
        except Exception as error:  # noqa: BLE001 - the frame has its answer; no sample is worth losing that
            self._metrics.count_sample_dropped(Dropped.FAULT)
            _log.error("frame-not-offered", exc_info=error)

    def contradicted(self, device_id: int, sequence: int) -> None:
        """Tell of a label that contradicts a frame's answer. Never waits."""
        frame = self._recent.pop(device_id, sequence)
        if frame is None:
            self._metrics.count_sample_dropped(Dropped.GONE)
        else:
            self._enqueue(frame, Reason.DISAGREEMENT)

    async def run(self) -> None:
        """Store what was chosen, one frame at a time, until cancelled."""
        while True:
            frame, reason = await self._queue.get()
            try:
                await self._keep(frame, reason)
            except Exception as error:  # noqa: BLE001 - a fault of ours must not end sampling
                self._metrics.count_sample_dropped(Dropped.FAULT)
                _log.error("sample-not-stored", exc_info=error)

    def _offer(self, device: Device, lane: Lane, sequence: int, data: bytes, prediction: Prediction) -> None:
        frame = RecentFrame(device.row_id, sequence, device.family, data, lane.decoder.tables)
        self._recent.put(frame)
        answers = self._answers.get(device.family)
        if answers is None:
            answers = self._answers[device.family] = RecentAnswers()
        labels = lane.model.labels
        reason = reason_for(
            self._rules,
            drawn=self._draw(),
            confidence=prediction.confidence,
            rarity=answers.note(labels[prediction.label], len(labels)),
            match=lane.match,
        )
        if reason is not None:
            self._enqueue(frame, reason)

    def _enqueue(self, frame: RecentFrame, reason: Reason) -> None:
        closed = self._closed.get((frame.family, reason))
        if closed is not None and closed.until > self._now():
            self._metrics.count_sample_dropped(closed.cause)
            return
        try:
            self._queue.put_nowait((frame, reason))
        except asyncio.QueueFull:
            self._metrics.count_sample_dropped(Dropped.QUEUE)

    async def _keep(self, frame: RecentFrame, reason: Reason) -> None:
        outcome = await self._store.keep(frame, reason)
        if not isinstance(outcome, Kept):
            self._closed[frame.family, reason] = outcome
            self._metrics.count_sample_dropped(outcome.cause)
        elif outcome.is_new:
            self._metrics.count_sample(frame.family, reason)
