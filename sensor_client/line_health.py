"""Whether uploads get through, and what the last fault was: on disk, so that `status` tells it beside `run`."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sensor_client.clock import Clock
from sensor_client.logs import get_logger
from shared import durable

REASON_LIMIT_CHARACTERS = 300
FLOOR_SECONDS = 60.0
"""Between two writes, at least: a line that comes and goes must not wear the disk out."""

_log = get_logger(__name__)


class LineFault(BaseModel):
    """Why uploads do not get through, and since when (seconds since 1970, by the device's clock)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    since: float
    reason: Annotated[str, Field(max_length=REASON_LIMIT_CHARACTERS)]


def read_line_fault(file: Path) -> LineFault | None:
    """What the file tells; None where uploads got through, and for a damaged file."""
    try:
        return LineFault.model_validate_json(durable.bytes_of(file))
    except ValidationError:
        return None


class LineHealth:
    """Notes failures and successes of uploads. For one thread; `fault` may be read by any."""

    def __init__(self, file: Path, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self.fault: LineFault | None = read_line_fault(file)
        self._written = self.fault
        self._may_write_at_seconds = clock.monotonic_seconds()

    def failed(self, reason: str) -> None:
        """An upload failed."""
        since = self._clock.now() if self.fault is None else self.fault.since
        self.fault = LineFault(since=since, reason=reason[:REASON_LIMIT_CHARACTERS])
        self._write()

    def works(self) -> None:
        """An upload was answered."""
        self.fault = None
        self._write()

    def _write(self) -> None:
        now_seconds = self._clock.monotonic_seconds()
        if self.fault == self._written or now_seconds < self._may_write_at_seconds:
            return
        self._may_write_at_seconds = now_seconds + FLOOR_SECONDS
        self._written = self.fault
        try:
            data = b"null" if self.fault is None else self.fault.model_dump_json().encode()
            durable.write_file(self._file, data, mode=0o600)
        except OSError as error:
            _log.warning("line-fault-not-written", reason=str(error))
