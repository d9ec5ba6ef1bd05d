"""The bundle in use: put there by the updater, looked at by the camera's side between two frames."""

import threading

from shared.bundle import Bundle


class ActiveBundle:
    """One reference, replaced whole. Thread-safe; a reader keeps what it got for as long as its frame takes."""

    def __init__(self, bundle: Bundle | None) -> None:
        self._bundle = bundle
        self.is_there = threading.Event()
        if bundle is not None:
            self.is_there.set()

    @property
    def bundle(self) -> Bundle | None:
        return self._bundle

    def replace(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self.is_there.set()
