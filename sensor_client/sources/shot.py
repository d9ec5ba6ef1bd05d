"""What every picture source offers: a camera that gives shots."""

import threading
from collections.abc import Generator
from typing import Protocol

from shared.errors import DctwireError
from shared.pictures import Pixels


class SourceError(DctwireError):
    """There is nothing to take pictures from."""


class UnknownSourceError(SourceError):
    """No kind of source has an address like this."""


class SourceOverError(SourceError):
    """A source that was to go on has ended, and can never give anything again."""


class Shot(Protocol):
    """One press of the shutter."""

    @property
    def label(self) -> str | None:
        """What the picture shows, where the source knows."""

    @property
    def captured_at(self) -> float | None:
        """Seconds since 1970; None where the source does not know: then it is the moment at which it is encoded."""

    def jpeg(self) -> bytes | None:
        """The stream, as the camera gave it, where that is a JPEG; None where it is no JPEG. Nobody has decoded it.

        Raises:
            PictureError: it cannot be read; the next shot may be good.
        """

    def pixels(self) -> Pixels:
        """The picture at its own size: uint8 (height, width, 3) RGB, or (height, width) grey.

        Raises:
            PictureError: it cannot be read; the next shot may be good.
        """

    def settle(self) -> None:
        """Told once the picture is in the spool, set aside as unreadable, or not wanted: a source that gives each
        picture once takes it off its list. To be told twice changes nothing.
        """


class Camera(Protocol):
    """Anything that gives shots until it has no more."""

    @property
    def shot_count(self) -> int | None:
        """How many shots it will give in all; None where it has no known end."""

    def shots(self, stop: threading.Event) -> Generator[Shot, None, None]:
        """The shots, each when it is asked for, which may wait for the camera. A camera that is lost is waited for and
        told of in `SourceHealth`; it is no error. Ends within a second of a stop; what it holds is released when it
        ends or is closed.
        """
