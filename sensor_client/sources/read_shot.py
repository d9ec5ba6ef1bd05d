"""Shots whose bytes are in memory, and shots of which it is known already that they cannot be read."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.pictures import SENSOR_LIMITS, PictureError, Pixels, read_pixels

SOI = b"\xff\xd8"


def _do_nothing() -> None:
    return None


@dataclass(frozen=True)
class ReadShot:
    """A picture file's content, wherever it came from; `name` stands for it in logs and in the spool."""

    content: bytes
    name: str
    label: str | None = None
    captured_at: float | None = None
    when_settled: Callable[[], None] = _do_nothing

    def jpeg(self) -> bytes | None:
        """See `Shot`."""
        return self.content if self.content.startswith(SOI) else None

    def pixels(self) -> Pixels:
        """See `Shot`."""
        return read_pixels(self.content, self.name, SENSOR_LIMITS)

    def settle(self) -> None:
        """See `Shot`."""
        self.when_settled()


@dataclass(frozen=True)
class FailedShot:
    """A picture that was there and cannot be read: whoever takes it sets it aside."""

    error: PictureError
    label: str | None = None
    captured_at: float | None = None
    when_settled: Callable[[], None] = _do_nothing

    def jpeg(self) -> bytes | None:
        """Raises the error."""
        raise self.error

    def pixels(self) -> Pixels:
        """Raises the error."""
        raise self.error

    def settle(self) -> None:
        """See `Shot`."""
        self.when_settled()
