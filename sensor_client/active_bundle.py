"""The bundle in use, and one to compare it with: put there by the updater, looked at by the camera's side."""

import threading

from shared.bundle import Bundle


class ActiveBundle:
    """One reference, replaced as a whole. Thread-safe; a reader uses what it got until its frame is done."""

    def __init__(self, bundle: Bundle | None = None) -> None:
        self._bundle = bundle
        self._other: Bundle | None = None
        self.is_there = threading.Event()
        if bundle is not None:
            self.is_there.set()

    @property
    def bundle(self) -> Bundle | None:
        """The bundle in use; None before the first."""
        return self._bundle

    @property
    def other(self) -> Bundle | None:
        """The bundle to make probes with, which may be looked at after the one in use has changed; None: none."""
        return self._other

    def compare_with(self, other: Bundle | None) -> None:
        """Make probes with `other` from the next frame on."""
        self._other = other

    def replace(self, bundle: Bundle) -> None:
        """Use `bundle` from the next frame on."""
        self._bundle = bundle
        self.is_there.set()
