"""What the sensor's threads tell each other."""

import threading


class Signals:
    """Events to wait on. A stop sets every one of them, so that no wait outlives it."""

    def __init__(self, settled_seq: int) -> None:
        """Begin with nothing to tell.

        Args:
            settled_seq: the assignment that is no news.
        """
        self._settled_seq = settled_seq
        self.stop = threading.Event()
        self.frames_waiting = threading.Event()
        self.assignment_news = threading.Event()
        self.source_ended = threading.Event()

    def request_stop(self) -> None:
        """Make every thread end after its work in hand. May be called from a signal handler."""
        self.stop.set()
        self.frames_waiting.set()
        self.assignment_news.set()

    def end_source(self) -> None:
        """The camera has no more pictures."""
        self.source_ended.set()
        self.frames_waiting.set()

    def notice_assignment(self, seq: int) -> None:
        """A reply named the assignment `seq`: another one than the settled one is news, whichever number is higher."""
        if seq != self._settled_seq:
            self.assignment_news.set()

    def settle_assignment(self, seq: int) -> None:
        """Take replies that name `seq` for no news from now on."""
        self._settled_seq = seq
