"""Sketches of pictures, by which they are compared: luma coefficients before a bundle's tables quantise them."""

from sensor_client.frame_maker import JpegPart, Picture
from sensor_client.policies.changes import Sketch
from shared.bundle import Bundle
from shared.jpeg import Encoder, Framing, Resize, Sampling, TableSet, Transcoder

FINEST_QUALITY = 100
"""At this one every step is 1."""


class Sketcher:
    """Makes sketches of pictures that were prepared for one geometry."""

    def __init__(self, bundle: Bundle) -> None:
        self._height, self._width = bundle.input.height, bundle.input.width
        self._tables = TableSet.standard(FINEST_QUALITY, Sampling.GREY)
        self._encoder = Encoder(self._tables)
        self._transcoder: Transcoder | None = None

    def fits(self, bundle: Bundle) -> bool:
        """Whether pictures for this bundle have the geometry."""
        return (self._height, self._width) == (bundle.input.height, bundle.input.width)

    def sketch(self, picture: Picture) -> Sketch:
        """The picture's sketch.

        Raises:
            JpegError: the codec does not read the picture's JPEG.
        """
        if isinstance(picture, JpegPart):
            levels, _ = self._transcoder_of(picture.framing).levels(picture.data)
            return levels
        batch, _ = self._encoder.quantise_batch(picture[None])
        sketch: Sketch = batch[0]
        return sketch

    def _transcoder_of(self, framing: Framing) -> Transcoder:
        wanted = Resize(self._height, self._width, framing)
        if self._transcoder is None or self._transcoder.resize != wanted:
            self._transcoder = Transcoder(self._tables, resize=wanted)
        return self._transcoder
