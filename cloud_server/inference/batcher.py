"""Greedy micro-batching: a free worker takes whatever waits in one lane, at once; nothing waits for company.

Lanes take turns, batch by batch; within a lane devices take turns, a few frames each, so that one that sends much
waits behind itself and not in front of others. The queue is bounded: the newest frame is refused at the door, and what
was let in is answered in order.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from cloud_server.errors import QueueFullError

TURNS_A_BATCH = 4
"""A device's turn is this part of a batch."""
_NEWEST_WEIGHS = 0.2  # in the running mean of a frame's time


Lane = TypeVar("Lane", bound=Hashable)
Work = TypeVar("Work", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """How many micro-batches run at once (`workers`), and how many frames may wait (`frames_max`)."""

    workers: int
    frames_max: int


class Batcher(Generic[Lane, Work]):
    """Queues by lane and device, and a number of workers. Lives on the event loop; `run` does the work elsewhere."""

    def __init__(
        self,
        limits: QueueLimits,
        batch_max: Callable[[Lane], int],
        run: Callable[[Lane, Sequence[Work]], None],
        soon: Callable[[Callable[[], None]], object],
        require_open: Callable[[Lane], None] = lambda _lane: None,
    ) -> None:
        """Frames of a lane are given to `run`, at most `batch_max(lane)` at once; it must have `free` called later.

        Args:
            soon: the loop's `call_soon`.
            require_open: raises where no frame may wait in a lane now; asked whenever an empty lane gets its first.
        """
        self._limits = limits
        self._batch_max = batch_max
        self._run = run
        self._soon = soon
        self._require_open = require_open
        self._lanes: OrderedDict[Lane, _Queue[Work]] = OrderedDict()
        self._seconds_a_frame = 0.0
        self._free_workers = limits.workers
        self._is_starting = False
        self.depth = 0

    @property
    def backlog_seconds(self) -> float:
        """How long the workers will be busy with what waits, going by what frames took lately."""
        return self.depth * self._seconds_a_frame / self._limits.workers

    def firsts(self) -> Iterator[Work]:
        """Of each device that waits, the frame that has waited longest; lane by lane."""
        return (work for queue in self._lanes.values() for work in queue.firsts())

    def check_room(self, frames: int = 1) -> None:
        """Check that there is room for so many more frames.

        Raises:
            QueueFullError: there is not.
        """
        if self.depth + frames > self._limits.frames_max:
            raise QueueFullError(f"{self.depth} frames are waiting")

    def put(self, lane: Lane, device: Hashable, work: Work) -> None:
        """Queue one frame.

        Raises:
            QueueFullError: as many frames wait as may.
            DctwireError: the lane is closed, as `require_open` said.
        """
        self.check_room()
        queue = self._lanes.get(lane)
        if queue is None:
            self._require_open(lane)
            queue = self._lanes[lane] = _Queue()
        queue.put(device, work)
        self.depth += 1

    def remove(self, lane: Lane, device: Hashable, work: Work) -> bool:
        """Take a frame out that nobody waits for any more; False: it is not here, a worker has it."""
        queue = self._lanes.get(lane)
        if queue is None or not queue.remove(device, work):
            return False
        self.depth -= 1
        if not queue.depth:
            del self._lanes[lane]
        return True

    def clear(self, is_closed: Callable[[Lane], bool]) -> list[Work]:
        """Take every frame out that waits in a lane which is closed now."""
        taken: list[Work] = []
        for lane in [lane for lane in self._lanes if is_closed(lane)]:
            queue = self._lanes.pop(lane)
            taken += queue.take(queue.depth)
        self.depth -= len(taken)
        return taken

    def start(self) -> None:
        """Give free workers what waits; call it after one or several `put`s.

        It happens at the end of the loop's round, so that what arrived together is classified together.
        """
        if not self._is_starting and self._free_workers and self._lanes:
            self._is_starting = True
            self._soon(self._start)

    def free(self, frames: int, seconds: float) -> None:
        """Note that a worker is done with a batch of so many frames, which took so many seconds."""
        self._seconds_a_frame += _NEWEST_WEIGHS * (seconds / frames - self._seconds_a_frame)
        self.add_worker()

    def add_worker(self) -> None:
        """Note one more free worker: another one in the place of one that is kept, or that one at last."""
        self._free_workers += 1
        self.start()

    def _start(self) -> None:
        self._is_starting = False
        while self._free_workers and self._lanes:
            lane, queue = self._lanes.popitem(last=False)
            batch = queue.take(self._batch_max(lane))
            self.depth -= len(batch)
            if queue.depth:
                self._lanes[lane] = queue  # at the end: lanes take turns
            self._free_workers -= 1
            self._run(lane, batch)


class _Queue(Generic[Work]):
    """The frames of one lane; devices take turns."""

    def __init__(self) -> None:
        self.depth = 0
        self._devices: OrderedDict[Hashable, OrderedDict[Work, None]] = OrderedDict()

    def put(self, device: Hashable, work: Work) -> None:
        frames = self._devices.get(device)
        if frames is None:
            frames = self._devices[device] = OrderedDict()
        frames[work] = None
        self.depth += 1

    def remove(self, device: Hashable, work: Work) -> bool:
        frames = self._devices.get(device)
        if frames is None or work not in frames:
            return False
        del frames[work]
        self.depth -= 1
        if not frames:
            del self._devices[device]
        return True

    def firsts(self) -> Iterator[Work]:
        return (next(iter(frames)) for frames in self._devices.values())

    def take(self, most: int) -> list[Work]:
        batch: list[Work] = []
        turn = max(1, most // TURNS_A_BATCH)
        while self._devices and len(batch) < most:
            device, frames = self._devices.popitem(last=False)
            batch += [frames.popitem(last=False)[0] for _ in range(min(turn, len(frames), most - len(batch)))]
            if frames:
                self._devices[device] = frames
        self.depth -= len(batch)
        return batch
