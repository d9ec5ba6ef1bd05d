"""From a frame as it came to the file that is kept: an ordinary JPEG with its tables, and nothing else in it."""

from shared.jpeg import FrameInfo, Resize, Sampling, Stream, TableSet, Transcoder, inspect
from shared.jpeg.fit import MOST_SIDE

LIES = 5
"""Exif orientations from here on exchange width and height."""


def plain_jpeg(frame: bytes, tables: TableSet | None) -> bytes:
    """The frame as an interchange JPEG with the same levels under the same steps; no pixel is computed.

    Only what decodes the picture is written. Metadata of a camera, such as a place in Exif, is not kept: a picture that
    Exif says to turn is turned, unless a side has more than 4096 pixels.

    Args:
        tables: of an abbreviated frame.

    Raises:
        JpegError: as `Transcoder.transcode`.
    """
    info = inspect(frame)
    upright = _upright(info)
    own = tables if info.quant is None else _own_tables(info.quant, info.sampling, is_turned=upright is not None)
    if own is None:
        raise ValueError("an abbreviated frame needs its tables")
    return Transcoder(own, resize=upright, source=own).transcode(frame, Stream.INTERCHANGE)


def _own_tables(quant: tuple[bytes, ...], sampling: Sampling, *, is_turned: bool) -> TableSet:
    """Tables with a frame's own steps; a turned picture is 4:2:0 where its chroma is halved in one direction alone."""
    if is_turned and sampling not in (Sampling.GREY, Sampling.YUV444):
        sampling = Sampling.YUV420
    return TableSet.standard(sampling=sampling).with_quant(quant)


def _upright(info: FrameInfo) -> Resize | None:
    """The size that the picture has once it is turned; None: it stands upright, or is too large to be turned."""
    is_large = max(info.width, info.height) > MOST_SIDE
    if info.orientation == 1 or info.quant_id is None or is_large:
        return None
    lies = info.orientation >= LIES
    return Resize(*((info.width, info.height) if lies else (info.height, info.width)))
