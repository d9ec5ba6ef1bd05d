"""The thread in which classifiers are loaded, one at a time; one that does not come to an end keeps no other waiting.

ONNX Runtime cannot be stopped inside one operator, nor while it works out a graph's constants. So a job that is late is
given up and its thread with it, and another thread goes on with the next job.
docs/adr/0029-classifiers-are-watched.md has the reasons.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import Any, ParamSpec, TypeVar

from cloud_server.errors import LoadOverdueError, NotReadyError

LOST_MAX = 4
"""So many threads may be inside jobs that were given up; each takes a core."""
CLOSE_SECONDS = 5.0
"""How long the jobs that were asked for may take when the process ends; its threads end with it."""
P = ParamSpec("P")
T = TypeVar("T")
_Job = Callable[[], Any]
_Task = tuple["Future[Any]", _Job]


class Loader(Executor):
    """Runs jobs one at a time, in their order. Thread-safe.

    A job that takes longer than `max_seconds` is given up: its future fails with LoadOverdueError, whatever comes of it
    later. While `LOST_MAX` threads are inside such jobs, every other job fails with NotReadyError.

    Args:
        max_seconds: how long a job may take from its beginning.
    """

    def __init__(self, max_seconds: float) -> None:
        self._max_seconds = max_seconds
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._lost: set[threading.Thread] = set()
        self._thread: threading.Thread | None = None
        with self._lock:
            self._start()

    @property
    def lost(self) -> int:
        """Threads that are inside jobs which were given up."""
        return len(self._lost)

    def require_thread(self) -> None:
        """Check that a thread is left to load classifiers in.

        Raises:
            NotReadyError: all of them are inside classifiers that do not come to an end.
        """
        if self._thread is None:
            raise _spent()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Have a job run once those before it are done."""
        future: Future[T] = Future()
        self._tasks.put((future, partial(fn, *args, **kwargs)))
        if self._thread is None:
            self._refuse_waiting()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the thread after the jobs that wait, or those that are cancelled; waits `CLOSE_SECONDS` at most."""
        thread = self._thread
        if cancel_futures:
            self._refuse_waiting()
        self._tasks.put(None)
        if wait and thread is not None:
            thread.join(CLOSE_SECONDS)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="load", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        own = threading.current_thread()
        while self._is_at_work(own) and (task := self._tasks.get()) is not None:
            future, job = task
            if not future.set_running_or_notify_cancel():
                continue
            timer = threading.Timer(self._max_seconds, self._give_up, (own, future))
            timer.daemon = True
            timer.start()
            _settle(future, job)
            timer.cancel()
            del future, job, task  # what a job has made is freed by whoever asked for it, not by the next job

    def _is_at_work(self, thread: threading.Thread) -> bool:
        """Whether this thread takes the next job: one that was given up does where no other is left."""
        with self._lock:
            self._lost.discard(thread)
            if self._thread is None:
                self._thread = thread
            return self._thread is thread

    def _give_up(self, thread: threading.Thread, future: "Future[Any]") -> None:
        with self._lock:
            if future.done() or self._thread is not thread:
                return
            self._lost.add(thread)
            self._thread = None
            if len(self._lost) < LOST_MAX:
                self._start()
        with suppress(InvalidStateError):  # it came to its end in this moment
            future.set_exception(LoadOverdueError(f"it did not come to an end within {self._max_seconds:g} s"))
        if self._thread is None:
            self._refuse_waiting()

    def _refuse_waiting(self) -> None:
        with suppress(queue.Empty):
            while (task := self._tasks.get_nowait()) is not None:
                if task[0].set_running_or_notify_cancel():
                    task[0].set_exception(_spent())


def _settle(future: "Future[Any]", job: _Job) -> None:
    """Run a job and give its outcome to whoever asked, unless it was given up meanwhile."""
    try:
        result = job()
    except BaseException as error:  # noqa: BLE001 - handed to the one who asked
        with suppress(InvalidStateError):
            future.set_exception(error)
    else:
        with suppress(InvalidStateError):
            future.set_result(result)


def _spent() -> NotReadyError:
    return NotReadyError(f"{LOST_MAX} threads are inside classifiers that do not come to an end while they are loaded")
