"""How the picture source does: on disk, so that `status` tells it beside a run, and after one."""

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock

from pydantic import BaseModel, ConfigDict, ValidationError

from sensor_client.clock import Clock
from sensor_client.logs import get_logger
from sensor_client.sources import SourceReport
from shared import durable

LOOK_SECONDS = 5.0
FLOOR_SECONDS = 60.0
"""Between two writes, at least: a camera that comes and goes must not wear the disk out."""
COUNTS_SECONDS = 600.0
"""The same, where nothing but the pictures was counted on."""

_log = get_logger(__name__)


class SourceRecord(BaseModel):
    """What was told of the source, and when, in seconds since 1970 by the device's clock."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    report: SourceReport
    written_at: float


def read_source_record(file: Path) -> SourceRecord | None:
    """What the file tells; None where there is none, or a damaged one."""
    try:
        return SourceRecord.model_validate_json(durable.bytes_of(file))
    except ValidationError:
        return None


def is_written_by_a_run(file: Path) -> bool:
    """Whether the program that wrote the file still runs: it holds a lock, which ends with it, however it ends."""
    try:
        descriptor = os.open(_lock_of(file), os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


class SourceRecorder:
    """Writes down how the source does, now and then. A thread of its own: whatever the disk does, nothing waits."""

    def __init__(self, file: Path, report: Callable[[], SourceReport], clock: Clock, stop: Event) -> None:
        """Prepare; nothing is written yet.

        Args:
            report: how the source does now.
        """
        self._file = file
        self._report = report
        self._clock = clock
        self._stop = stop
        self._turn = Lock()
        self._written: SourceReport | None = None
        self._tried_seconds: float | None = None
        self._descriptor: int | None = None

    def run(self) -> None:
        """Write what has changed, until a stop is asked for."""
        while not self._stop.is_set():
            self.step()
            self._clock.wait(self._stop, LOOK_SECONDS)

    def step(self) -> None:
        """Write what has changed, where the last attempt is long enough ago."""
        with self._turn:
            report, now_seconds = self._report(), self._clock.monotonic_seconds()
            if self._written is not None and self._descriptor is None:
                self._mark_as_running()
            if report != self._written and self._is_due(report, now_seconds):
                self._tried_seconds = now_seconds
                self._write(report)

    def close(self) -> None:
        """Write how the source did at last; from now on that is told as of a run that has ended."""
        with self._turn:
            report = self._report()
            if report != self._written:
                self._write(report)
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _is_due(self, report: SourceReport, now_seconds: float) -> bool:
        if self._tried_seconds is None:
            return True
        is_counted_on = self._written is not None and _uncounted(report) == _uncounted(self._written)
        return now_seconds - self._tried_seconds >= (COUNTS_SECONDS if is_counted_on else FLOOR_SECONDS)

    def _write(self, report: SourceReport) -> None:
        record = SourceRecord(report=report, written_at=self._clock.now())
        try:
            durable.write_file(self._file, record.model_dump_json().encode(), mode=0o600)
        except OSError as error:
            _log.warning("source-report-not-written", reason=str(error))
            return
        self._written = report
        if self._descriptor is None:
            self._mark_as_running()

    def _mark_as_running(self) -> None:
        """Hold the lock; where `status` looks at this moment, or the disk is full, the next step tries again."""
        with suppress(OSError):
            descriptor = os.open(_lock_of(self._file), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                raise
            self._descriptor = descriptor


def _uncounted(report: SourceReport) -> SourceReport:
    return replace(report, pictures=0, last_picture_at=None, dropped=0)


def _lock_of(file: Path) -> Path:
    return file.with_suffix(".lock")
