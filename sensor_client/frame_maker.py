"""From shots to frames: what is JPEG already is transcoded, everything else is encoded from its pixels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from sensor_client.policies import Region, RegionFit
from shared.bundle import Bundle, Encoding
from shared.jpeg import Framing, JpegError, Resize, Stream, Transcoder
from shared.pictures import Pixels, fitted

_T = TypeVar("_T")


class Shutter(Protocol):
    """What of a shot is needed here; see `Shot`."""

    def jpeg(self) -> bytes | None: ...

    def pixels(self) -> Pixels: ...


@dataclass(frozen=True, eq=False)
class JpegPart:
    """A JPEG as a camera gave it, and which part of its upright picture is meant."""

    data: bytes
    framing: Framing


Picture: TypeAlias = Pixels | JpegPart
"""A picture for a bundle: pixels of its size, or a JPEG that is still to be brought to it."""


class Prepared:
    """A shot as it is prepared for bundles of one geometry.

    Args:
        transcodes: whether a JPEG stays one.
        bundle: one of these.
        refusal: why the codec would not have the JPEG, so that its pixels were taken; None where that is not so.

        view: what of the camera's picture it shows, and at which size.

    Raises:
        PictureError: it cannot be read.
    """

    def __init__(self, shot: Shutter, bundle: Bundle, region: Region | None, *, transcodes: bool) -> None:
        self._shot = shot
        self.bundle = bundle
        self._framing = framing_of(bundle, region)
        self.view = (bundle.input, self._framing)
        self.refusal: str | None = None
        data = shot.jpeg() if transcodes else None
        self.picture: Picture = self._pixels() if data is None else JpegPart(data, self._framing)

    def use(self, act: Callable[[Picture], _T]) -> _T:
        """What `act` makes of the picture; of its pixels, from then on, where the codec refuses its JPEG.

        Raises:
            PictureError: it cannot be read.
        """
        try:
            return act(self.picture)
        except JpegError as error:
            if not isinstance(self.picture, JpegPart):
                raise
            self.refusal = str(error)
            self.picture = self._pixels()
        return act(self.picture)

    def _pixels(self) -> Pixels:
        size = (self.bundle.input.width, self.bundle.input.height)
        return fitted(self._shot.pixels(), self.bundle.tables.sampling, size, self._framing)


class FrameMaker:
    """Makes frames with a bundle's tables, dead zones, masks and rate-distortion optimisation.

    Args:
        encoding: another one than the bundle's, for pictures that are prepared for the bundle.

    Raises:
        UnsupportedBundleError: it asks for what this version cannot do.
    """

    def __init__(self, bundle: Bundle, encoding: Encoding | None = None) -> None:
        self.bundle = bundle
        self._encoding = bundle.encoding if encoding is None else encoding
        self._encoder = self._encoding.encoder()
        self._transcoder: Transcoder | None = None

    def frame(self, picture: Picture, stream: Stream) -> bytes:
        """The picture as a frame of the bundle.

        Raises:
            JpegError: the codec does not read the picture's JPEG.
        """
        if isinstance(picture, JpegPart):
            return self._transcoder_of(picture.framing).transcode(picture.data, stream)
        return self._encoder.encode(picture, stream)

    def _transcoder_of(self, framing: Framing) -> Transcoder:
        wanted = Resize(self.bundle.input.height, self.bundle.input.width, framing)
        if self._transcoder is None or self._transcoder.resize != wanted:
            self._transcoder = Transcoder(
                self._encoding.tables, resize=wanted, quantisation=self._encoding.settings.quantisation()
            )
        return self._transcoder


def framing_of(bundle: Bundle, region: Region | None) -> Framing:
    """Which part of a camera's picture becomes a bundle's frame."""
    return bundle.fit if region is None else RegionFit(region, bundle.fit)
