"""What the camera's side and the uploader see of bundles in use: for or against the one on trial."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

REASON_LIMIT_CHARACTERS = 500


class BundleWitness(Protocol):
    """Where it is told how bundles do. Any thread may call; no call waits or raises.

    A bundle is named by its target: several may have the same tables. What is told of one that is not on trial is
    passed over.
    """

    def encoded(self, target: str) -> None:
        """A picture became a frame with this bundle."""

    def encoder_failed(self, target: str, reason: str) -> None:
        """The encoder of this bundle failed, through no fault of the picture."""

    def proved(self, target: str, frames: int) -> None:
        """`frames` that were encoded with this bundle were answered `match: exact`."""

    def refused(self, target: str, frames: int) -> None:
        """`frames` that were encoded with this bundle were refused for good, by a server that named them."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was told of the bundle on trial since it was last asked."""

    was_encoded: bool = False
    failure: str | None = None
    proofs: int = 0
    refusals: int = 0


class Evidence(BundleWitness):
    """Counts what is told of the bundle on trial, until the updater takes it. Thread-safe."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """Begin with no bundle on trial.

        Args:
            wake: called when there is something to take.
        """
        self._wake = wake
        self._lock = threading.Lock()
        self._target: str | None = None
        self._seen = Seen()

    def watch(self, target: str | None) -> None:
        """Count for this bundle from now on, from nothing where it is another than before; None: for none."""
        with self._lock:
            if target != self._target:
                self._target, self._seen = target, Seen()

    def take(self) -> Seen:
        """What was told since the last call."""
        with self._lock:
            seen, self._seen = self._seen, Seen()
        return seen

    def encoded(self, target: str) -> None:
        self._add(target, was_encoded=True)

    def encoder_failed(self, target: str, reason: str) -> None:
        self._add(target, failure=reason[:REASON_LIMIT_CHARACTERS])

    def proved(self, target: str, frames: int) -> None:
        self._add(target, proofs=frames)

    def refused(self, target: str, frames: int) -> None:
        self._add(target, refusals=frames)

    def _add(
        self,
        target: str,
        *,
        was_encoded: bool = False,
        failure: str | None = None,
        proofs: int = 0,
        refusals: int = 0,
    ) -> None:
        with self._lock:
            if target != self._target:
                return
            before = self._seen
            self._seen = Seen(
                was_encoded=before.was_encoded or was_encoded,
                failure=before.failure or failure,
                proofs=before.proofs + proofs,
                refusals=before.refusals + refusals,
            )
            is_news = self._seen != before
        if is_news:
            self._wake()
