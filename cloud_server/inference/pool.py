"""Threads for one kind of frames, the queue before them, and a watch over what takes too long."""

from collections.abc import Callable, Sequence
from functools import partial

from cloud_server.errors import ClassifierOverdueError
from cloud_server.inference.batcher import Batcher, QueueLimits
from cloud_server.inference.classify import Classified, classify
from cloud_server.inference.routing import Lane
from cloud_server.inference.waiting import WaitingFrame
from cloud_server.inference.watchdog import Run, Stage, Watchdog, next_stage
from cloud_server.inference.workers import Workers
from shared.errors import DctwireError

Returned = Callable[[Run, Classified | Exception], None]
Settle = Callable[[WaitingFrame, DctwireError], None]


class Pool:
    """Workers and their queue. A run that is overdue has its thread replaced by a spare one until it returns.

    Args:
        returned: given each run that was not given up, and its outcome.
        settle: gives a frame of a run that is given up its outcome.
        wants_statistics: whether anybody wants the statistics of a micro-batch's coefficients.
        stopwatch: seconds; perf_counter's clock.
    """

    def __init__(
        self,
        workers: Workers,
        queue_max_frames: int,
        watchdog: Watchdog,
        returned: Returned,
        settle: Settle,
        soon: Callable[[Callable[[], None]], object],
        stopwatch: Callable[[], float],
        *,
        wants_statistics: Callable[[Lane, Sequence[WaitingFrame]], bool],
    ) -> None:
        limits = QueueLimits(workers=workers.count, frames_max=queue_max_frames)
        self.batcher: Batcher[Lane, WaitingFrame] = Batcher(
            limits, _batch_max, self._start, soon, watchdog.require_open
        )
        self._workers = workers
        self._watchdog = watchdog
        self._returned = returned
        self._settle = settle
        self._stopwatch = stopwatch
        self._wants_statistics = wants_statistics
        self._runs: set[Run] = set()
        self._spares = workers.count + 1

    @property
    def lost(self) -> int:
        """Threads that are inside a classifier's operator and do not come back."""
        return sum(run.stage is Stage.LOST for run in self._runs)

    @property
    def is_spent(self) -> bool:
        """Whether so many threads are lost that no spare one is left to take another one's place."""
        return self.lost > self._workers.count

    def look(self, now: float) -> None:
        """See which runs have come to another stage, and do what follows from it."""
        for run in [run for run in self._runs if next_stage(run, now, self._watchdog.limits) is not run.stage]:
            run.stage, run.since = next_stage(run, now, self._watchdog.limits), now
            if run.stage is Stage.OVERDUE:
                self._watchdog.note_overdue(run)
                self._replace(run)
            elif run.stage is Stage.STOPPED:
                run.attempt.stop()
                self._settle_all(run.batch, self._watchdog.note_stopped(run))
            else:
                self._watchdog.note_lost(run)

    def clear_closed(self) -> None:
        """Answer the frames that wait for a classifier which is overdue: others need their room."""
        for waiting in self.batcher.clear(self._watchdog.is_closed):
            self._settle(waiting, ClassifierOverdueError(f"{waiting.lane.model.name} is overdue with other frames"))

    def stop_all(self) -> None:
        """Have whatever still runs end soon: the process does. Any thread may call it."""
        for run in tuple(self._runs):
            run.attempt.stop()

    def _start(self, lane: Lane, batch: Sequence[WaitingFrame]) -> None:
        run = Run(lane, batch, self._stopwatch())
        self._runs.add(run)
        frames = [waiting.frame.data for waiting in batch]
        top = max([waiting.frame.top for waiting in batch])
        with_statistics = self._wants_statistics(lane, batch)
        job = partial(classify, lane, frames, attempt=run.attempt, top=top, with_statistics=with_statistics)
        self._workers.submit(job, partial(self._done, run))

    def _done(self, run: Run, classified: Classified | Exception) -> None:
        self._runs.discard(run)
        if run.stage is Stage.RUNNING:
            self.batcher.free(len(run.batch), self._stopwatch() - run.submitted)
        else:
            self._end(run)
        if not run.is_given_up:
            self._returned(run, classified)

    def _end(self, run: Run) -> None:
        """The thread of an overdue run is back: it goes, if it was replaced; its time tells nothing of other runs'."""
        self._watchdog.note_returned(run)
        if run.is_replaced:
            self._workers.remove()
        else:
            self.batcher.add_worker()

    def _settle_all(self, batch: Sequence[WaitingFrame], error: DctwireError) -> None:
        for waiting in batch:
            self._settle(waiting, error)

    def _replace(self, run: Run) -> None:
        if sum(one.is_replaced for one in self._runs) < self._spares:
            run.is_replaced = True
            self._workers.add()
            self.batcher.add_worker()


def _batch_max(lane: Lane) -> int:
    return lane.batch_max
