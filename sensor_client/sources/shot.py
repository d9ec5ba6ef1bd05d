"""What every picture source offers: a camera that gives shots."""

from collections.abc import Iterator
from typing import Protocol

from shared.errors import DctwireError
from shared.pictures import Pixels


class SourceError(DctwireError):
    """There is nothing to take pictures from."""


class UnknownSourceError(SourceError):
    """No kind of source has an address like this."""


class Shot(Protocol):
    """One press of the shutter."""

    @property
    def label(self) -> str | None:
        """What the picture shows, where the source knows."""

    @property
    def captured_at(self) -> float | None:
        """Seconds since 1970; None where the source does not know: then it is the moment at which it is encoded."""

    def pixels(self) -> Pixels:
        """The picture at its own size: uint8 (height, width, 3) RGB, or (height, width) grey.

        Raises:
            PictureError: it cannot be read; the next shot may be good.
        """


class Camera(Protocol):
    """Anything that gives shots until it has no more."""

    @property
    def shot_count(self) -> int | None:
        """How many shots it will give in all; None where it has no known end."""

    def shots(self) -> Iterator[Shot]:
        """The shots, each when it is asked for."""
