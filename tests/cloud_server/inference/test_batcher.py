"""Greedy micro-batching, with a worker that runs when the test says so."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from cloud_server.errors import QueueFullError, TimedOutError
from cloud_server.inference.batcher import Batcher, BatcherLimits, Waiting

Batch = Sequence[Waiting[int, int]]


class Workers:
    """Holds each batch until `finish`."""

    def __init__(self) -> None:
        self.started: list[tuple[str, list[int]]] = []
        self._held: list[tuple[Batch, Callable[[], None]]] = []

    async def run(self, lane: str, batch: Batch, free: Callable[[], None]) -> None:
        self.started.append((lane, [waiting.work for waiting in batch]))
        self._held.append((batch, free))

    def finish(self) -> None:
        """Answer the oldest batch with its own numbers."""
        batch, free = self._held.pop(0)
        for waiting in batch:
            if not waiting.answer.done():
                waiting.answer.set_result(waiting.work)
        free()


def limits(**changes: float) -> BatcherLimits:
    """One worker, batches of 4, 10 waiting, for a long time."""
    values = {"workers": 1, "batch_max": 4, "queue_max": 10, "wait_max_seconds": 60.0} | changes
    return BatcherLimits(
        int(values["workers"]), int(values["batch_max"]), int(values["queue_max"]), values["wait_max_seconds"]
    )


def test_the_first_frame_never_waits_for_company() -> None:
    async def scenario() -> None:
        workers = Workers()
        batcher: Batcher[str, int, int] = Batcher(limits(), workers.run)
        for number in range(6):
            batcher.put("a", number)
            batcher.start()
        await asyncio.sleep(0)
        assert workers.started == [("a", [0])]
        workers.finish()
        await asyncio.sleep(0)
        assert workers.started == [("a", [0]), ("a", [1, 2, 3, 4])]
        assert batcher.depth == 1

    asyncio.run(scenario())


def test_lanes_take_turns() -> None:
    async def scenario() -> None:
        workers = Workers()
        batcher: Batcher[str, int, int] = Batcher(limits(batch_max=2), workers.run)
        for number in range(4):
            batcher.put("a", number)
        batcher.put("b", 9)
        batcher.start()
        for _ in range(3):
            await asyncio.sleep(0)
            workers.finish()
        assert workers.started == [("a", [0, 1]), ("b", [9]), ("a", [2, 3])]

    asyncio.run(scenario())


def test_a_full_queue_refuses_and_takes_again_when_there_is_room() -> None:
    async def scenario() -> None:
        workers = Workers()
        batcher: Batcher[str, int, int] = Batcher(limits(queue_max=2), workers.run)
        for number in range(2):
            batcher.put("a", number)
        with pytest.raises(QueueFullError):
            batcher.put("b", 2)
        batcher.start()
        batcher.put("b", 3)

    asyncio.run(scenario())


def test_a_frame_that_waited_too_long_is_not_classified_any_more() -> None:
    async def scenario() -> None:
        workers = Workers()
        batcher: Batcher[str, int, int] = Batcher(limits(wait_max_seconds=0.01), workers.run)
        first = batcher.put("a", 1)
        batcher.start()
        second = batcher.put("a", 2)
        outcomes = await asyncio.gather(batcher.wait(second), batcher.wait(second))
        assert [type(outcome) for outcome in outcomes] == [TimedOutError, TimedOutError]
        workers.finish()
        await asyncio.sleep(0)
        assert workers.started == [("a", [1])]
        assert await batcher.wait(first) == 1
        assert batcher.depth == 0

    asyncio.run(scenario())
