"""Greedy micro-batching: a free worker takes whatever waits in one lane, at once; nothing waits for company."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Generic, TypeVar

from cloud_server.errors import QueueFullError, TimedOutError
from shared.errors import DctwireError

LaneKey = TypeVar("LaneKey", bound=Hashable)
Work = TypeVar("Work")
Answer = TypeVar("Answer")


@dataclass(slots=True)
class Waiting(Generic[Work, Answer]):
    """A frame in the queue; `since` on perf_counter's clock."""

    work: Work
    answer: "asyncio.Future[Answer | DctwireError]"
    since: float = field(default_factory=perf_counter)


@dataclass(frozen=True, slots=True)
class BatcherLimits:
    """How many batches run at once, how large each may be, how many frames may wait and how long."""

    workers: int
    batch_max: int
    queue_max: int
    wait_max_seconds: float


Run = Callable[[LaneKey, Sequence[Waiting[Work, Answer]], Callable[[], None]], Awaitable[None]]
"""Answers every member of a batch, and calls back as soon as its worker is free again."""


class Batcher(Generic[LaneKey, Work, Answer]):
    """Queues by lane and a number of workers. Lives on the event loop; `run` does the work elsewhere."""

    def __init__(self, limits: BatcherLimits, run: Run[LaneKey, Work, Answer]) -> None:
        self._limits = limits
        self._run = run
        self._lanes: dict[LaneKey, deque[Waiting[Work, Answer]]] = {}
        self._free_workers = limits.workers
        self._running: set[asyncio.Future[None]] = set()
        self.depth = 0

    def put(self, lane: LaneKey, work: Work) -> Waiting[Work, Answer]:
        """Queue one frame.

        Raises:
            QueueFullError: as many wait as may.
        """
        if self.depth >= self._limits.queue_max:
            raise QueueFullError(f"{self.depth} frames are waiting")
        waiting = Waiting[Work, Answer](work, asyncio.get_running_loop().create_future())
        self._lanes.setdefault(lane, deque()).append(waiting)
        self.depth += 1
        return waiting

    def start(self) -> None:
        """Give free workers what waits; call it after one or several `put`s."""
        while self._free_workers and self._lanes:
            lane, batch = self._take()
            if not batch:
                continue
            self._free_workers -= 1
            task = asyncio.ensure_future(self._run(lane, batch, self._free))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def wait(self, waiting: Waiting[Work, Answer]) -> Answer | DctwireError:
        """The answer, or a TimedOutError once the frame has waited too long; it is then not classified any more."""
        left = self._limits.wait_max_seconds - (perf_counter() - waiting.since)
        timer = asyncio.get_running_loop().call_later(left, self._expire, waiting)
        try:
            return await waiting.answer
        finally:
            timer.cancel()

    def _expire(self, waiting: Waiting[Work, Answer]) -> None:
        if not waiting.answer.done():
            waiting.answer.set_result(TimedOutError(f"no answer within {self._limits.wait_max_seconds:g} seconds"))

    def _take(self) -> tuple[LaneKey, list[Waiting[Work, Answer]]]:
        lane = next(iter(self._lanes))
        queue = self._lanes.pop(lane)
        batch: list[Waiting[Work, Answer]] = []
        while queue and len(batch) < self._limits.batch_max:
            waiting = queue.popleft()
            self.depth -= 1
            if not waiting.answer.done():
                batch.append(waiting)
        if queue:
            self._lanes[lane] = queue  # at the end: lanes take turns
        return lane, batch

    def _free(self) -> None:
        self._free_workers += 1
        self.start()
