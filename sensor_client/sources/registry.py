"""Every kind of picture source there is, and how an address finds its kind."""

from typing import Protocol

from sensor_client.sources.folder import open_folder
from sensor_client.sources.shot import Camera, UnknownSourceError


class Opener(Protocol):
    """Makes a camera of an address of its kind; None where the address is of another kind."""

    def __call__(self, address: str, *, is_looping: bool) -> Camera | None: ...


OPENERS: tuple[Opener, ...] = (open_folder,)
"""A new kind of source is a module of its own and a line here; the first that takes an address has it."""


def open_source(address: str, *, is_looping: bool) -> Camera:
    """The camera at `address`.

    Args:
        is_looping: whether a source with an end begins again there.

    Raises:
        UnknownSourceError: no kind of source has an address like this.
        SourceError: there is nothing to take pictures from.
    """
    for opener in OPENERS:
        camera = opener(address, is_looping=is_looping)
        if camera is not None:
            return camera
    raise UnknownSourceError(f"{address}: neither a folder of pictures nor another known source")
