"""Outcomes of updates that wait for the server to hear of them."""

import threading
from collections.abc import Callable

from shared.wire import AssignmentOutcome


class Outbox:
    """Between the updater, which keeps outcomes on disk, and whoever tells the server of them. Thread-safe."""

    def __init__(self, *, fresh: Callable[[], None], settled: Callable[[], None]) -> None:
        """Begin empty.

        Args:
            fresh: called when an outcome comes to wait.
            settled: called when there is one more of `settled`.
        """
        self._fresh = fresh
        self._tell_settled = settled
        self._lock = threading.Lock()
        self._waiting: tuple[AssignmentOutcome, ...] = ()
        self._settled: tuple[AssignmentOutcome, ...] = ()

    def waiting(self) -> tuple[AssignmentOutcome, ...]:
        """What the server does not know yet, the oldest first."""
        with self._lock:
            return self._waiting

    def settle(self, outcome: AssignmentOutcome) -> None:
        """The server knows of this outcome, or will never take it."""
        with self._lock:
            self._waiting = tuple(other for other in self._waiting if other != outcome)
            self._settled = (*self._settled, outcome)
        self._tell_settled()

    def show(self, outcomes: tuple[AssignmentOutcome, ...]) -> None:
        """Let these wait, which the disk has, but for what is settled: that is known until the disk has it no more."""
        with self._lock:
            before = self._waiting
            self._settled = tuple(outcome for outcome in self._settled if outcome in outcomes)
            self._waiting = tuple(outcome for outcome in outcomes if outcome not in self._settled)
            is_news = any(outcome not in before for outcome in self._waiting)
        if is_news:
            self._fresh()

    def settled(self) -> tuple[AssignmentOutcome, ...]:
        """What is settled, but not yet for the disk: while that is full, nothing is told again for it."""
        with self._lock:
            return self._settled
