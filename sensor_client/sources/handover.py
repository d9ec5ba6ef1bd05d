"""Pictures from a thread that reads them to the one that takes them: a place for one, and no waiting without end.

Reading may hang, in a driver or in a pipe; the thread that hangs is left behind then, and holds up nothing.
"""

import threading
from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar

LOOK_SECONDS = 0.25
"""So often whoever waits looks for a stop."""

_T = TypeVar("_T")


class Handover(Generic[_T]):
    """Carries what `produce` gives into another thread.

    Args:
        keeps_newest: a newer one takes the place of one that nobody has taken; without, producing waits.
        dropped: told of each whose place was taken.
    """

    def __init__(self, produce: Callable[[], Iterator[_T]], *, keeps_newest: bool, dropped: Callable[[], None]) -> None:
        self._produce = produce
        self._keeps_newest = keeps_newest
        self._dropped = dropped
        self._changed = threading.Condition()
        self._waiting: list[_T] = []
        self._has_ended = False
        self._is_wanted = True
        self._failure: Exception | None = None

    def taken(self, stop: threading.Event) -> Generator[_T, None, None]:
        """What is produced, from now on until its end or a stop.

        Raises:
            Exception: what `produce` raised, after what it had given.
        """
        threading.Thread(target=self._work, name="source", daemon=True).start()
        try:
            while (item := self._next(stop)) is not None:
                yield item
        finally:
            self.close()
        failure, self._failure = self._failure, None
        try:
            if failure is not None and not stop.is_set():
                raise failure
        finally:
            del failure  # it holds what was being read, 32 MiB of it: that must not wait for the collector

    def close(self) -> None:
        """Nobody takes any more."""
        with self._changed:
            self._is_wanted = False
            self._changed.notify_all()

    def _next(self, stop: threading.Event) -> _T | None:
        with self._changed:
            while not stop.is_set():
                if self._waiting:
                    self._changed.notify_all()
                    return self._waiting.pop()
                if self._has_ended:
                    return None
                self._changed.wait(LOOK_SECONDS)
        return None

    def _work(self) -> None:
        try:
            for item in self._produce():
                if not self._put(item):
                    return
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the pictures are taken
            self._failure = error
        finally:
            with self._changed:
                self._has_ended = True
                self._changed.notify_all()

    def _put(self, item: _T) -> bool:
        with self._changed:
            if self._keeps_newest and self._waiting:
                self._waiting.clear()
                self._dropped()
            while self._waiting and self._is_wanted:
                self._changed.wait()
            self._waiting.append(item)
            self._changed.notify_all()
            return self._is_wanted
