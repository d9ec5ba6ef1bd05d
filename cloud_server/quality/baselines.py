"""What ordinary JPEG would have cost in the place of answered frames, found out of a few of them.

A frame that was chosen waits, in a bounded list, for one task that measures what waits every few seconds in a thread:
no answer waits for it. The frame's coefficients are quantised anew, as ordinary JPEG of the family's reference quality,
and the bytes of that file are counted, header and all. They are too few where the frame's own steps dropped what those
of that quality keep, and some too many where they did not, for being rounded twice makes noise. The trainer measured
the factor with the pictures themselves; without it nothing is said.

Frames are chosen by chance, one of so many, whoever sent them, but of devices in quarantine none. Only frames count
that carry no tables and were answered by the classifier for their tables: for these the factor holds, and ordinary JPEG
that was posted needs no guess.
"""

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache, partial
from typing import NamedTuple

import structlog

from cloud_server.answered import AnsweredFrames
from cloud_server.metrics import Metrics
from cloud_server.storage.database import Database
from cloud_server.storage.repeating import every
from cloud_server.storage.rows import baseline_sums
from cloud_server.storage.rows.baseline_sums import BaselineSum
from cloud_server.storage.rows.sums import HOUR_SECONDS
from shared.bundle import BaselineFactor
from shared.errors import PeerError
from shared.jpeg import OrdinaryJpeg, TableSet
from shared.wire import Match

WAITING_MAX_FRAMES = 64
"""With one frame of 1,000 and the pause between two rounds, enough for 12,800 frames a second."""
WAITING_MAX_BYTES = 8 << 20
MEASURE_EVERY_SECONDS = 5.0
_MEASURERS = 16
"""How many versions' derived tables are kept at hand."""
_log = structlog.get_logger()


class Dropped(StrEnum):
    """Why a chosen frame was not measured: too many waited, or it cannot be coded anew."""

    QUEUE = "queue"
    UNREADABLE = "unreadable"


class Chosen(NamedTuple):
    """A frame that is to be measured.

    Args:
        data: the abbreviated JPEG, with `table_set`.
        hour: in which it was answered, since 1970.
    """

    family: str
    tables: str
    hour: int
    data: bytes
    table_set: TableSet
    factor: BaselineFactor


class Key(NamedTuple):
    """What measured frames are summed up by."""

    family: str
    tables: str
    hour: int


class Cost(NamedTuple):
    """What some frames cost, and what ordinary JPEG would have cost in their place, in bytes."""

    frames: int = 0
    payload_bytes: int = 0
    baseline_bytes: float = 0.0

    def plus(self, other: "Cost") -> "Cost":
        """Both together."""
        return Cost(
            self.frames + other.frames,
            self.payload_bytes + other.payload_bytes,
            self.baseline_bytes + other.baseline_bytes,
        )


def skipped(drawn: float, rate: float) -> int:
    """How many frames pass before one is chosen where each is chosen by itself with the chance `rate`.

    Args:
        drawn: a number drawn evenly from 0..1, 1 left out.
        rate: above 0, at most 1.
    """
    return 0 if rate >= 1 else int(math.log1p(-drawn) / math.log1p(-rate))


def cost_of(frame: Chosen) -> Cost:
    """What a frame cost, and what ordinary JPEG would have cost.

    Raises:
        JpegError: it cannot be coded anew.
    """
    again = _ordinary(frame.factor.quality, frame.table_set).file_bytes_again(frame.data)
    return Cost(1, len(frame.data), again * frame.factor.factor)


@lru_cache(_MEASURERS)
def _ordinary(quality: float, table_set: TableSet) -> OrdinaryJpeg:
    return OrdinaryJpeg(quality, table_set)


class Baselines:
    """Chooses, measures and sums up. `run` must be running for anything to be measured.

    Args:
        rate: the share of frames that is measured; 0: none.
        shard: of the hourly sums, this process's.
        draw: draws a number evenly from 0..1, 1 left out; once for each frame that is chosen.
    """

    def __init__(
        self, database: Database, metrics: Metrics, rate: float, shard: int, draw: Callable[[], float]
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._rate = rate
        self._shard = shard
        self._draw = draw
        self._until_next = skipped(draw(), rate) if rate else 0
        self._waiting: list[Chosen] = []
        self._waiting_bytes = 0
        self._unsaved: dict[Key, Cost] = {}
        self._measuring = asyncio.Lock()

    def observe(self, answered: AnsweredFrames) -> None:
        """Choose among answered frames. Never waits."""
        factor = None if answered.reference is None else answered.reference.baseline_factor
        if not self._rate or factor is None or answered.table_set is None or answered.match is not Match.EXACT:
            return
        for index in self._chosen(len(answered.frames)):
            frame = answered.frames[index]
            if frame.is_counted:
                hour = int(answered.answered_at) // HOUR_SECONDS
                chosen = Chosen(answered.family, answered.tables, hour, frame.data, answered.table_set, factor)
                self._enqueue(chosen)

    async def run(self) -> None:
        """Measure what waits every few seconds, until cancelled."""
        await every(MEASURE_EVERY_SECONDS, self.save, "baselines-not-saved")

    async def save(self) -> None:
        """Measure what waits, and write it; what another call is measuring is written, too, once this returns.

        Raises:
            StorageError: the database does not answer; the next call writes it.
        """
        async with self._measuring:
            waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
            if waiting:
                costs, unreadable = await asyncio.to_thread(_costs_of, waiting)
                self._count(costs, unreadable)
            if self._unsaved:
                await self._database.write(partial(baseline_sums.add, rows=self._rows()))
                self._unsaved = {}

    def _chosen(self, frames: int) -> Iterator[int]:
        """Which of so many frames are chosen, by their place; a micro-batch without any costs a subtraction."""
        while self._until_next < frames:
            yield self._until_next
            self._until_next += 1 + skipped(self._draw(), self._rate)
        self._until_next -= frames

    def _enqueue(self, chosen: Chosen) -> None:
        size = len(chosen.data)
        if len(self._waiting) >= WAITING_MAX_FRAMES or self._waiting_bytes + size > WAITING_MAX_BYTES:
            self._metrics.count_baseline_dropped(Dropped.QUEUE)
            return
        self._waiting.append(chosen)
        self._waiting_bytes += size

    def _count(self, costs: Mapping[Key, Cost], unreadable: int) -> None:
        for key, cost in costs.items():
            self._unsaved[key] = self._unsaved.get(key, Cost()).plus(cost)
            frames, payload_bytes, baseline_bytes = cost
            self._metrics.count_baselines(
                key.family, key.tables, frames=frames, payload_bytes=payload_bytes, baseline_bytes=round(baseline_bytes)
            )
        for _ in range(unreadable):
            self._metrics.count_baseline_dropped(Dropped.UNREADABLE)

    def _rows(self) -> Sequence[BaselineSum]:
        return [
            BaselineSum(*key, self._shard, cost.frames, cost.payload_bytes, round(cost.baseline_bytes))
            for key, cost in self._unsaved.items()
        ]


def _costs_of(waiting: Sequence[Chosen]) -> tuple[Mapping[Key, Cost], int]:
    """What frames cost, summed up, and how many could not be measured."""
    costs: dict[Key, Cost] = {}
    unreadable = 0
    for frame in waiting:
        try:
            cost = cost_of(frame)
        except PeerError as error:
            _log.error("baseline-not-measured", family=frame.family, tables=frame.tables, reason=str(error))
            unreadable += 1
            continue
        key = Key(frame.family, frame.tables, frame.hour)
        costs[key] = costs.get(key, Cost()).plus(cost)
    return costs, unreadable
