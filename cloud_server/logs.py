"""Logs: one JSON object a line on stderr. Tokens, claim codes and bodies are never logged.

Writing never makes a request wait: lines queue up for a thread of their own. Nobody can flood the log: each kind of
event may have so many lines a second; those beyond it are counted, and the next line says how many of each kind there
were.
"""

import contextlib
import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict

LINES_A_SECOND = 50
LINES_WAITING_MAX = 2000
FLUSH_MAX_SECONDS = 2.0
COUNTED_LEVELS = ("warning", "error", "critical")
EVENTS_NAMED_MAX = 200
"""Kinds of events beyond this many are counted together as "other"; the code has some sixty."""
ANSWERED_FAULT = "answered with problem "
"""How the note begins that marks an exception whose log line exists already (PEP 678)."""


@contextlib.contextmanager
def logging_to(stream: TextIO) -> Iterator["LogCounts"]:
    """Send our events and the libraries' errors to `stream`, in one format, until the end of the block.

    What is yielded counts them.
    """
    counts = LogCounts()
    writer = LineWriter(stream, count_dropped=counts.count_dropped)
    before = structlog.get_config()
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            counts,
            LineLimit(LINES_A_SECOND, time.monotonic),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(writer),  # type: ignore[arg-type]
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    logging.basicConfig(level=logging.ERROR, handlers=[_LibraryErrors()])
    try:
        yield counts
    finally:
        structlog.configure(**before)
        writer.close()


class LogCounts:
    """A structlog processor that counts warnings and errors by event, whether their lines are written or not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: Counter[tuple[str, str]] = Counter()
        self.dropped = 0

    def __call__(self, _logger: object, _method: str, event: EventDict) -> EventDict:
        """The event as it is, counted."""
        if (level := event["level"]) in COUNTED_LEVELS:
            with self._lock:
                key = (level, str(event["event"]))
                is_named = key in self._events or len(self._events) < EVENTS_NAMED_MAX
                self._events[key if is_named else (level, "other")] += 1
        return event

    def count_dropped(self) -> None:
        """Count a line that found no room."""
        with self._lock:
            self.dropped += 1

    def events(self) -> dict[tuple[str, str], int]:
        """How many there were, by (level, event)."""
        with self._lock:
            return dict(self._events)


class LineWriter:
    """A stream whose writer never waits: a thread writes, and what a full queue cannot hold is dropped."""

    def __init__(
        self, stream: TextIO, waiting_max: int = LINES_WAITING_MAX, count_dropped: Callable[[], None] = lambda: None
    ) -> None:
        self._stream = stream
        self._count_dropped = count_dropped
        self._waiting: queue.Queue[str | None] = queue.Queue(waiting_max)
        self._thread = threading.Thread(target=self._write_lines, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Queue a line."""
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            self._count_dropped()

    def flush(self) -> None:
        """Nothing: the thread flushes after each line."""

    def close(self) -> None:
        """Write what waits, for as long as `FLUSH_MAX_SECONDS`."""
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=FLUSH_MAX_SECONDS)
        self._thread.join(FLUSH_MAX_SECONDS)

    def _write_lines(self) -> None:
        with contextlib.suppress(OSError):  # nobody reads our logs any more; they are dropped from here on
            while (line := self._waiting.get()) is not None:
                self._stream.write(line)
                self._stream.flush()


class LineLimit:
    """A structlog processor that lets so many lines of each event through a second, and tells what it held back."""

    def __init__(self, lines_a_second: int, monotonic: Callable[[], float]) -> None:
        self._lines_a_second = lines_a_second
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._second = 0
        self._lines: Counter[str] = Counter()
        self._suppressed: Counter[str] = Counter()

    def __call__(self, _logger: object, _method: str, event: EventDict) -> EventDict:
        """The event, with `suppressed` where lines were held back since the last line.

        Raises:
            DropEvent: this second has had its share of this event.
        """
        with self._lock:
            name = str(event["event"])
            if not self._is_within_its_share(name):
                self._suppressed[name] += 1
                raise structlog.DropEvent
            if self._suppressed:
                event["suppressed"] = dict(self._suppressed)
                self._suppressed.clear()
            return event

    def _is_within_its_share(self, name: str) -> bool:
        second = int(self._monotonic())
        if second != self._second:
            self._second = second
            self._lines.clear()
        self._lines[name] += 1
        return self._lines[name] <= self._lines_a_second


class _LibraryErrors(logging.Handler):
    """The libraries' errors as events of ours, but those of requests that had their own line already."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if any(note.startswith(ANSWERED_FAULT) for note in getattr(error, "__notes__", ())):
            return
        fields: dict[str, Any] = {"library": record.name, "message": record.getMessage().strip()}
        structlog.get_logger().error("library-error", **fields, exc_info=error)
