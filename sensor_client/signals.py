"""What the sensor's threads tell each other."""

import threading


class Signals:
    """Events to wait on; stopping sets every one of them, so that no wait outlives it."""

    def __init__(self, settled_seq: int) -> None:
        """Args: settled_seq: the assignment up to which all is decided."""
        self._settled_seq = settled_seq
        self.stop = threading.Event()
        self.frames_waiting = threading.Event()
        self.assignment_news = threading.Event()
        self.source_ended = threading.Event()

    def request_stop(self) -> None:
        """End the work in hand and come back. May be called from a signal handler."""
        self.stop.set()
        self.frames_waiting.set()
        self.assignment_news.set()

    def end_source(self) -> None:
        """The camera has no more pictures."""
        self.source_ended.set()
        self.frames_waiting.set()

    def notice_assignment(self, seq: int) -> None:
        """A reply named the assignment `seq`."""
        if seq > self._settled_seq:
            self.assignment_news.set()

    def settle_assignment(self, seq: int) -> None:
        """Replies that name `seq` are no news any more."""
        self._settled_seq = seq
