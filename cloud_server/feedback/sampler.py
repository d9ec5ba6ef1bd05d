"""Chooses frames to keep while they are answered, and keeps them afterwards: uploads never wait for it.

`observe` is told of every answered frame and does a few dictionary look-ups. What it chooses goes through a bounded
queue to one task that stores; when that queue is full the frame is dropped and counted.
"""

import asyncio
import random
import time
from collections.abc import Callable

import structlog

from cloud_server.answered import AnsweredFrames
from cloud_server.feedback.reasons import Dropped, Reason, RecentAnswers, SampleRules, reason_for
from cloud_server.feedback.recent_frames import RecentFrame, RecentFrames
from cloud_server.feedback.reference_quality import is_reference
from cloud_server.feedback.sample_store import Kept, NotKept, SampleStore
from cloud_server.metrics import Metrics
from shared.wire import Kind

QUEUE_MAX_FRAMES = 64
_log = structlog.get_logger()


class Sampler:
    """The sampler of a process. `run` must be running for anything to be stored.

    Args:
        recent_max_bytes: memory for the latest frames, which a label may still contradict.
        draw: draws a number evenly from 0..1, one a frame.
    """

    def __init__(
        self,
        store: SampleStore,
        metrics: Metrics,
        rules: SampleRules,
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
        self._closed: dict[tuple[str, Reason, int | None], NotKept] = {}
        self._queue: asyncio.Queue[tuple[RecentFrame, Reason]] = asyncio.Queue(QUEUE_MAX_FRAMES)

    def observe(self, answered: AnsweredFrames) -> None:
        """Remember answered frames, and choose among them; of details, choose. Never waits."""
        if answered.kind is Kind.DETAIL:
            self._choose_details(answered)
            return
        answers = self._answers.get(answered.family)
        if answers is None:
            answers = self._answers[answered.family] = RecentAnswers()
        for one in answered.frames:
            if not one.is_counted:
                continue
            frame = RecentFrame(one.device_id, one.sequence, answered.family, one.data, answered.table_set)
            self._recent.put(frame)
            reason = reason_for(
                self._rules,
                drawn=self._draw(),
                confidence=one.confidence,
                rarity=answers.note(answered.labels[one.label], len(answered.labels)),
                match=answered.match,
            )
            if reason is not None:
                self._enqueue(frame, reason)

    def contradicted(self, device_id: int, sequence: int) -> None:
        """Choose the frame of which a label contradicts the answer, if it is still in memory. Never waits."""
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

    def _enqueue(self, frame: RecentFrame, reason: Reason) -> None:
        now = self._now()
        for device_id in (None, frame.device_id):
            closed = self._closed.get((frame.family, reason, device_id))
            if closed is not None and closed.until > now:
                self._metrics.count_sample_dropped(closed.cause)
                return
        try:
            self._queue.put_nowait((frame, reason))
        except asyncio.QueueFull:
            self._metrics.count_sample_dropped(Dropped.QUEUE)

    def _choose_details(self, answered: AnsweredFrames) -> None:
        """Choose all that are ordinary JPEG of a fine quality: tables can be learned from them.

        Earlier sensors sent a part of the picture with the bundle's own tables; nothing can be learned from that.
        """
        family, tables = answered.family, answered.table_set
        for one in answered.frames:
            if one.is_counted and is_reference(one.data):
                frame = RecentFrame(one.device_id, one.sequence, family, one.data, tables, one.companion_of)
                self._enqueue(frame, Reason.DETAIL)

    async def _keep(self, frame: RecentFrame, reason: Reason) -> None:
        outcome = await self._store.keep(frame, reason)
        if not isinstance(outcome, Kept):
            self._close(frame.family, reason, outcome)
            self._metrics.count_sample_dropped(outcome.cause)
        elif outcome.is_new:
            self._metrics.count_sample(frame.family, reason)

    def _close(self, family: str, reason: Reason, outcome: NotKept) -> None:
        now = self._now()
        self._closed = {key: closed for key, closed in self._closed.items() if closed.until > now}
        self._closed[family, reason, outcome.device_id] = outcome
