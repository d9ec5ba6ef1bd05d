"""Sides measured in turns, a short batch each, round after round: the machine's mood meets them all alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")
BATCH_SECONDS = 0.004
FEWEST_ROUNDS = 5
# What a side is given: how often to do its work. It returns the seconds that this took.
Side = Callable[[int], float]


@dataclass(frozen=True)
class Rounds:
    """Seconds an item, one a round, for each side."""

    seconds: dict[str, list[float]]

    @property
    def count(self) -> int:
        """How many rounds there were."""
        return len(next(iter(self.seconds.values())))

    def times_faster(self, ours: str, theirs: str) -> float:
        """The median over the rounds of theirs / ours."""
        return statistics.median(t / o for t, o in zip(self.seconds[theirs], self.seconds[ours], strict=True))

    def least(self, side: str) -> float:
        """The shortest time of a side."""
        return min(self.seconds[side])


def measure(sides: Mapping[str, Side], items: int, seconds: float) -> Rounds:
    """Let the sides take turns, each round beginning with another one, until the time is over.

    Args:
        items: how many items one repeat of a side handles.
        seconds: for all sides together.
    """
    repeats = {name: _repeats(side) for name, side in sides.items()}
    spent: dict[str, list[float]] = {name: [] for name in sides}
    names = list(sides)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(spent[names[0]]) < FEWEST_ROUNDS:
        for name in names:
            spent[name].append(sides[name](repeats[name]) / repeats[name] / items)
        names.append(names.pop(0))
    return Rounds(spent)


def on_processor(work: Callable[[], object]) -> Side:
    """A side that is timed by this thread's processor time: what others do on the machine costs it nothing."""
    return _timed(work, time.thread_time)


def on_processors(work: Callable[[], object]) -> Side:
    """A side that is timed by the processor time of all the program's threads."""
    return _timed(work, time.process_time)


def on_clock(work: Callable[[], object]) -> Side:
    """A side that is timed by the clock: for work of several threads."""
    return _timed(work, time.perf_counter)


def for_each(work: Callable[[Item], object], items: list[Item]) -> Side:
    """A side that handles the items one by one."""

    def all_items() -> None:
        for item in items:
            work(item)

    return on_processor(all_items)


def _timed(work: Callable[[], object], clock: Callable[[], float]) -> Side:
    def side(repeats: int) -> float:
        before = clock()
        for _ in range(repeats):
            work()
        return clock() - before

    return side


def _repeats(side: Side) -> int:
    """Warmed up: how many repeats make a batch."""
    side(1)
    once = min(side(1) for _ in range(5))
    return max(1, round(BATCH_SECONDS / max(once, 1e-6)))
