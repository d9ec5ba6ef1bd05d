"""From a frame as it came to the file that is kept: an ordinary JPEG with its tables, and nothing else in it."""

from shared.jpeg import Stream, TableSet, Transcoder, inspect


def plain_jpeg(frame: bytes, tables: TableSet | None) -> bytes:
    """The frame as an interchange JPEG with the same levels under the same steps; no pixel is computed.

    Only what decodes the picture is written. Metadata of a camera, such as a place in Exif, is not kept.

    Args:
        tables: of an abbreviated frame.

    Raises:
        JpegError: as `Transcoder.transcode`.
    """
    quant, sampling = (info := inspect(frame)).quant, info.sampling
    own = tables if quant is None else TableSet.standard(sampling=sampling).with_quant(quant)
    if own is None:
        raise ValueError("an abbreviated frame needs its tables")
    return Transcoder(own, source=own).transcode(frame, Stream.INTERCHANGE)
