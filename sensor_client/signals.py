"""What the sensor's threads tell each other."""

import threading
from collections import Counter


class Signals:
    """Events to wait on. A stop sets every one of them, so that no wait outlives it."""

    def __init__(self, settled_seq: int, stop: threading.Event | None = None, settled_settings: int = 0) -> None:
        """Begin with nothing to tell.

        Args:
            settled_seq: the assignment that is no news.
            stop: the event of a stop, where somebody watches who looks at it.
            settled_settings: the number of the settings that are none; 0: that none are named.
        """
        self._settled_seq = settled_seq
        self._named_seq = settled_seq
        self._settled_settings = self._named_settings = settled_settings
        self.stop = stop or threading.Event()
        self.frames_waiting = threading.Event()
        self.labels_waiting = threading.Event()
        self.update_wanted = threading.Event()
        """There is something for the updater: news of an assignment, or of the tables on trial."""
        self.report_wanted = threading.Event()
        """There is something to tell the server of this device."""
        self.report_hurried = threading.Event()
        """The server waits for a report: it set something, or asked for something."""
        self.diagnostics_wanted = threading.Event()
        self.diagnostics_request: str | None = None
        """By its name; of the last one."""
        self.diagnostics_tried = threading.Event()
        """The last request was answered, or could not be for now."""
        self.restarts: Counter[str] = Counter()
        """How often each supervised part was started anew; a part writes its own number alone."""
        self.token_refused = threading.Event()
        self.source_ended = threading.Event()
        self.is_source_over = False
        """It has ended and was to go on: what waits is delivered, and the program ends."""
        self.probes_unwanted = threading.Event()
        """The server knows no probes: none is made until the program starts anew."""

    @property
    def has_news(self) -> bool:
        """Whether the last reply that named an assignment, or settings, named others than the settled ones."""
        return (self._named_seq, self._named_settings) != (self._settled_seq, self._settled_settings)

    def request_stop(self) -> None:
        """Make every thread end after its work in hand. May be called from a signal handler."""
        self.stop.set()
        self.frames_waiting.set()
        self.labels_waiting.set()
        self.update_wanted.set()
        self.report_wanted.set()
        self.token_refused.set()
        self.diagnostics_wanted.set()
        self.diagnostics_tried.set()

    def may_go_on(self, wakes: threading.Event) -> bool:
        """Whether a thread that an event wakes begins another round; what sets the event from now on wakes it again.

        The event is cleared before `stop` is looked at: a request to stop sets `stop` first.
        """
        wakes.clear()
        return not self.stop.is_set()

    def end_source(self, *, is_over: bool = False) -> None:
        """The camera has no more pictures.

        Args:
            is_over: it was to go on, and never will.
        """
        self.is_source_over = self.is_source_over or is_over
        self.source_ended.set()
        self.frames_waiting.set()

    def ask_diagnostics(self, request: str) -> None:
        """The server asks for diagnostics."""
        if request != self.diagnostics_request:
            self.diagnostics_tried.clear()
            self.diagnostics_request = request
            self.diagnostics_wanted.set()

    def hurry_report(self) -> None:
        """Have the server told soon how this device is."""
        self.report_hurried.set()
        self.report_wanted.set()

    def notice_assignment(self, seq: int, settings: int = 0) -> None:
        """A reply named the assignment `seq`, and settings by their number (0: none).

        Others than the settled ones are news, whichever numbers are higher.
        """
        was_news = self.has_news
        self._named_seq, self._named_settings = seq, settings
        if self.has_news and not was_news:
            self.update_wanted.set()

    def settle_assignment(self, seq: int) -> None:
        """Take replies that name `seq` for no news from now on."""
        self._settled_seq = seq

    def settle_settings(self, number: int) -> None:
        """Take replies that name the settings of this number for no news from now on."""
        self._settled_settings = number
