"""Threads for what is heavy, decoding and classifying: each job takes one hop to a thread and one back."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
CLOSE_SECONDS = 5.0
"""How long all threads together may take to end; one that never returns ends with the process."""


class Workers:
    """A number of threads; outcomes come back on the event loop."""

    def __init__(self, count: int, loop: asyncio.AbstractEventLoop) -> None:
        self.count = count
        self._loop = loop
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Callable[[Any], None]] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        for _ in range(count):
            self.add()

    def submit(self, job: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        """Run `job` in a thread; `done` is called on the loop with what it returned or raised."""
        self._jobs.put((job, done))

    def add(self) -> None:
        """Start one more thread, in the place of one whose job does not return."""
        thread = threading.Thread(target=self._work, name="classify", daemon=True)
        self._threads.append(thread)
        thread.start()

    def remove(self) -> None:
        """End one thread, the next that is free."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._jobs.put(None)

    def close(self) -> None:
        """Finish what was submitted, then end the threads. Call it from another thread than the loop's."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(CLOSE_SECONDS / len(self._threads))

    def _work(self) -> None:
        while (task := self._jobs.get()) is not None:
            job, done = task
            outcome = _outcome(job)
            with contextlib.suppress(RuntimeError):  # it returned after the process had stopped waiting for it
                self._loop.call_soon_threadsafe(done, outcome)


def _outcome(job: Callable[[], T]) -> T | Exception:
    try:
        return job()
    except Exception as error:  # noqa: BLE001 - handed to the one who asked
        return error
