"""Every kind of picture source there is, and how an address finds its kind."""

from pathlib import Path
from typing import Protocol

from sensor_client.sources.folder import FolderCamera, open_folder
from sensor_client.sources.http_camera import open_http_camera
from sensor_client.sources.observed import ObservedCamera
from sensor_client.sources.opening import SourceSettings, SourceSurroundings
from sensor_client.sources.shot import Camera, UnknownSourceError
from sensor_client.sources.standard_input import StandardInput, open_standard_input
from sensor_client.sources.video import VideoFile, open_live_video, open_video_file


class Opener(Protocol):
    """Makes a camera of an address of its kind; None where the address is of another kind."""

    def __call__(self, address: str, settings: SourceSettings, around: SourceSurroundings, /) -> Camera | None: ...


OPENERS: tuple[Opener, ...] = (
    open_standard_input,
    open_http_camera,
    open_live_video,
    open_video_file,
    open_folder,
)
"""A new kind of source is a module of its own and a line here; the first that takes an address has it."""


def open_source(address: str, settings: SourceSettings, around: SourceSurroundings) -> Camera:
    """The camera at `address`. One that is only reached later, such as over a network, need not be there yet.

    Raises:
        UnknownSourceError: no kind of source has an address like this.
        SourceError: there is nothing to take pictures from.
    """
    for opener in OPENERS:
        camera = opener(address, settings, around)
        if camera is not None:
            is_live = not isinstance(camera, FolderCamera | VideoFile)
            may_end = settings.may_end or not isinstance(camera, StandardInput)
            return ObservedCamera(camera, around, is_live=is_live, may_end=may_end)
    if "://" not in address and not Path(address).exists():
        raise UnknownSourceError(f"{address}: no such file or folder, nor another known source")
    raise UnknownSourceError(f"{address}: neither a folder of pictures nor another known source")
