"""What is due now and then, for a program that starts, works a moment and ends: by the time of day, or by starts where
that time is not to be believed."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from shared import durable


class Done(BaseModel):
    """When something was done last: seconds since 1970 by this device's clock, and the number of the start."""

    model_config = ConfigDict(frozen=True)

    at: float
    start: int


class Duties(BaseModel):
    """When each duty was done last; None: never."""

    model_config = ConfigDict(frozen=True)

    heartbeat: Done | None = None
    trust_look: Done | None = None


class DutiesFile:
    """Keeps `Duties` on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Duties:
        """What was kept; a damaged file counts as none, and each duty is due then."""
        try:
            return Duties.model_validate_json(durable.bytes_of(self._path))
        except ValidationError:
            return Duties()

    def save(self, duties: Duties) -> None:
        """Replace what was kept.

        Raises:
            OSError: the disk would not take it.
        """
        durable.write_file(self._path, duties.model_dump_json().encode(), mode=0o600)


def is_due(done: Done | None, now: Done, *, every_seconds: float, every_starts: int) -> bool:
    """Whether it is time again: so long ago, so many starts ago, or at a time that this clock puts into the future."""
    if done is None:
        return True
    is_recent = 0 <= now.at - done.at < every_seconds
    is_near = 0 <= now.start - done.start < every_starts
    return not (is_recent and is_near)
