"""Logging for the sensor: events with fields, to stderr; for people on a terminal as text, as JSON lines otherwise.

Python's own `logging` does the work. No token and no claim code is ever handed to a logger. A log fills no disk: what
goes wrong again and again is told so many times a minute, and a log file is rotated.
"""

import json
import logging
import os
import sys
import time
import traceback
import warnings
from collections import deque
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from shared.plain_text import escaped, escaped_lines

PROGRAM = "sensor_client"
VALUE_LIMIT_CHARACTERS = 500
FAULT_LIMIT_CHARACTERS = 4000
"""What one line shows of a text, and of a traceback's end: whoever answers a device must not fill its disk."""

FAULTS_A_MINUTE = 30
"""Of one event, of warnings and errors alone: what else is logged often, somebody has asked for."""
RECENT_LINES = 500
FILE_BYTES = 1 << 20
OLD_FILES = 3

_COLOURS = {"debug": "2", "info": "32", "warning": "33", "error": "31"}
_EVENT_WIDTH = 30


class EventLogger:
    """Logs what happened by a name of its own, an event, with what belongs to it as fields."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **fields: Any) -> None:
        """What only a person looking for a fault wants to see."""
        self._log(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """What happens in the ordinary course of things."""
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """What went wrong and is dealt with."""
        self._log(logging.WARNING, event, fields)

    def error(self, event: str, *, exc_info: BaseException | None = None, **fields: Any) -> None:
        """What went wrong and needs a person, where it goes on."""
        self._log(logging.ERROR, event, fields, exc_info)

    def _log(self, level: int, event: str, fields: dict[str, Any], fault: BaseException | None = None) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", event, exc_info=fault, extra={"event": event, "fields": fields})


def get_logger(name: str) -> EventLogger:
    """The logger of the module `name`."""
    return EventLogger(name)


def configure(level_name: str, file: Path | None = None) -> None:
    """Log from `level_name` on, to stderr, or into a file, which is rotated.

    Raises:
        OSError: the file cannot be written.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")  # lines of text among JSON; `shared.pictures` judges pictures
    handler = _StandardError() if file is None else _rotated(file)
    handler.setFormatter(_ForPeople() if file is None and sys.stderr.isatty() else _JsonLines())
    logger = logging.getLogger(PROGRAM)
    handlers: list[logging.Handler] = [handler, _recent]
    for one in handlers:
        one.filters[:] = [_Paced(one)]
    logger.handlers[:] = handlers
    logger.propagate = False
    logger.setLevel(level_name.upper())


def recent_lines() -> tuple[str, ...]:
    """The last RECENT_LINES lines of this process's log, as JSON, the newest last. Any thread may call."""
    return tuple(_recent.lines)


class _Recent(logging.Handler):
    """Keeps the last lines in memory."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(_JsonLines())
        self.lines: deque[str] = deque(maxlen=RECENT_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class _Paced(logging.Filter):
    """Lets so many faults of one event through a minute; the next minute, one line tells how many were passed over."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = handler
        self._minute_began = 0.0
        self._counts: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this one is logged. A handler calls it under no lock of its own, and a count may be one off."""
        if record.levelno < logging.WARNING:
            return True
        if not 0 <= record.created - self._minute_began < 60:  # the clock may be set, also back
            counts, self._counts, self._minute_began = self._counts, {}, record.created
            for event, count in counts.items():
                if count > FAULTS_A_MINUTE:
                    self._handler.handle(_passed_over(event, count - FAULTS_A_MINUTE))
        event = record.getMessage()
        self._counts[event] = self._counts.get(event, 0) + 1
        return self._counts[event] <= FAULTS_A_MINUTE


def _passed_over(event: str, lines: int) -> logging.LogRecord:
    record = logging.LogRecord(PROGRAM, logging.INFO, __file__, 0, "passed-over", None, None)
    record.fields = {"of": event, "lines": lines}
    return record


def _rotated(path: Path) -> logging.Handler:
    from logging.handlers import RotatingFileHandler  # noqa: PLC0415 - most sensors log to stderr

    class Private(RotatingFileHandler):
        """Nobody else may read the log; a disk that is full costs lines, and nothing else."""

        def _open(self) -> TextIOWrapper:
            return open(os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a")  # noqa: PTH123

        def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
            pass

    return Private(path, maxBytes=FILE_BYTES, backupCount=OLD_FILES)


class _StandardError(logging.StreamHandler[TextIO]):
    """Looks stderr up anew each time: a progress bar puts its own stream in its place while it is drawn."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


class _JsonLines(logging.Formatter):
    """One JSON object a line: the fields, the event, its level and the time (UTC)."""

    def format(self, record: logging.LogRecord) -> str:
        line = {name: _shortened(value) for name, value in _fields(record).items()}
        line |= {
            "event": _shortened(record.getMessage()),
            "level": record.levelname.lower(),
            "timestamp": _time(record),
        }
        if record.exc_info:
            line["exception"] = _fault(record)
        return json.dumps(line, default=repr)


class _ForPeople(logging.Formatter):
    """Time, level, event and fields. No text of a server, such as a label, turns colours or the line's direction."""

    def format(self, record: logging.LogRecord) -> str:
        level = record.levelname.lower()
        event = escaped(_shortened(record.getMessage()))
        fields = (f"{name}={escaped(str(_shortened(value)))}" for name, value in _fields(record).items())
        head = f"{_time(record)} [\x1b[{_COLOURS.get(level, '0')}m{level:<7}\x1b[0m] {event:<{_EVENT_WIDTH}}"
        line = " ".join((head, *fields)).rstrip()
        return f"{line}\n{escaped_lines(_fault(record))}" if record.exc_info else line


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return getattr(record, "fields", {})


def _shortened(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else repr(value)
    if len(text) <= VALUE_LIMIT_CHARACTERS:
        return value
    return f"{text[:VALUE_LIMIT_CHARACTERS]} ... ({len(text)} characters)"


def _fault(record: logging.LogRecord) -> str:
    assert record.exc_info is not None
    return "".join(traceback.format_exception(*record.exc_info)).rstrip()[-FAULT_LIMIT_CHARACTERS:]


def _time(record: logging.LogRecord) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{whole}.{int(record.msecs * 1000):06d}Z"


_recent = _Recent()
