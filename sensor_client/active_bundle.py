"""The bundle in use: put there by the updater, looked at by the camera's side between two frames."""

import threading

from shared.bundle import Bundle


class ActiveBundle:
    """One reference, replaced as a whole. Thread-safe; a reader uses what it got until its frame is done."""

    def __init__(self, bundle: Bundle | None) -> None:
        self._bundle = bundle
        self.is_there = threading.Event()
        if bundle is not None:
            self.is_there.set()

    @property
    def bundle(self) -> Bundle | None:
        """The bundle in use; None before the first."""
        return self._bundle

    def replace(self, bundle: Bundle) -> None:
        """Use `bundle` from the next frame on."""
        self._bundle = bundle
        self.is_there.set()
