"""Small valid streams of every kind that is read, and some of the kinds that are refused: what damage starts from."""

import io
import tempfile
from pathlib import Path

import jpeglib
import numpy as np
from PIL import Image

from shared.jpeg import Decoder, Encoder, Sampling, Stream, TableSet
from tests.field import oddities
from tests.shared.jpeg import exif, pictures, progressive_encoder, streams

TABLES = TableSet.standard(75)


def sources() -> list[bytes]:
    """Streams of this codec, Pillow's libjpeg-turbo, jpeglib's libjpeg and odd cameras; the last three are refused."""
    picture = pictures.natural(19, 26, 1)
    row = pictures.natural(32, 32, 2)
    return [
        *our_streams(picture, row),
        *pillow_streams(picture, row),
        by_libjpeg(picture),
        *progressive_streams(picture, row),
        *odd_streams(picture, row),
        *turned_streams(picture, row),
        *refused(picture),
    ]


def our_streams(picture: pictures.Pixels, row: pictures.Pixels) -> list[bytes]:
    """Streams in every sampling, abbreviated and interchange, of one and three scans, and of one block."""
    levels = Decoder().decode(Encoder(TABLES).encode(picture, Stream.INTERCHANGE))
    others = (Sampling.YUV444, Sampling.YUV422, Sampling.YUV440, Sampling.YUV411)
    fine = [TableSet.standard(90, sampling) for sampling in others]
    return [
        Encoder(TABLES).encode(picture),
        Encoder(TABLES).encode(picture, Stream.INTERCHANGE),
        *(Encoder(tables).encode(picture, Stream.INTERCHANGE) for tables in fine),
        *(Encoder(tables).encode(row, Stream.INTERCHANGE) for tables in fine[2:]),
        Encoder(TableSet.standard(90, Sampling.GREY)).encode(np.ascontiguousarray(picture[..., 0]), Stream.INTERCHANGE),
        streams.one_scan_a_component(levels, TABLES),
        Encoder(TABLES).encode(row),
        Encoder(TABLES).encode(row, Stream.INTERCHANGE),
        Encoder(TABLES).encode(pictures.extremes(32, 32, 3)),
        Encoder(TABLES).encode(row[:1, :1]),
    ]


def pillow_streams(picture: pictures.Pixels, row: pictures.Pixels) -> list[bytes]:
    """Streams with restart markers, with optimised tables, of the extreme qualities, and with most blocks a byte."""
    return [
        pictures.pillow_jpeg(np.full((320, 320, 3), 90, np.uint8), quality=50, subsampling=2, optimize=True),
        pictures.pillow_jpeg(picture, quality=80, subsampling=2, restart_marker_blocks=1),
        pictures.pillow_jpeg(row, quality=60, subsampling=2, restart_marker_rows=1, optimize=True),
        pictures.pillow_jpeg(picture, quality=80, optimize=True),
        pictures.pillow_jpeg(row, quality=100, subsampling=2),
        pictures.pillow_jpeg(row, quality=75, subsampling=0),
        pictures.pillow_jpeg(row, quality=75, subsampling=1, restart_marker_blocks=2),
        pictures.pillow_jpeg(row[..., 0], quality=75, optimize=True),
        pictures.pillow_jpeg(picture, quality=1, comment=b"low", subsampling=1),
        pictures.pillow_jpeg(picture[..., 0], quality=80),
        pictures.pillow_jpeg(pictures.photograph()[200:264, 220:316], quality=50, subsampling=2),
    ]


def progressive_streams(picture: pictures.Pixels, row: pictures.Pixels) -> list[bytes]:
    """Progressive streams in several samplings, with restart markers, of several scripts, of flat colour."""
    levels = Decoder().decode(pictures.pillow_jpeg(picture, quality=90, subsampling=2))
    return [
        pictures.pillow_jpeg(picture, quality=80, progressive=True),
        pictures.pillow_jpeg(picture[..., 0], quality=80, progressive=True),
        pictures.pillow_jpeg(row, quality=75, subsampling=2, progressive=True),
        pictures.pillow_jpeg(row, quality=95, subsampling=2, progressive=True, restart_marker_blocks=3),
        pictures.pillow_jpeg(row, quality=60, subsampling=0, progressive=True, restart_marker_blocks=2),
        pictures.pillow_jpeg(pictures.flat(64, 64, 5), quality=50, subsampling=1, progressive=True),
        progressive_encoder.encode(levels, progressive_encoder.BIT_BY_BIT, restart_interval=2),
        progressive_encoder.encode(levels, progressive_encoder.BAND_BY_BAND),
    ]


def odd_streams(picture: pictures.Pixels, row: pictures.Pixels) -> list[bytes]:
    """Streams as odd cameras send them."""
    restarted = pictures.pillow_jpeg(row, quality=60, subsampling=2, restart_marker_blocks=1)
    whole = oddities.without_eoi(oddities.zeros_between_segments(oddities.zeros_before_markers(restarted, 2), 3))
    return [
        oddities.without_huffman_tables(pictures.pillow_jpeg(row, quality=60, subsampling=2)),
        oddities.without_huffman_tables(pictures.pillow_jpeg(picture, quality=80), classes=(1,)),
        oddities.restart_marker_behind_the_last_interval(restarted),
        oddities.unset_span(restarted),
        whole,
    ]


def turned_streams(picture: pictures.Pixels, row: pictures.Pixels) -> list[bytes]:
    """Streams whose Exif says that they lie on their side or stand on their head."""
    return [
        exif.with_exif(Encoder(TABLES).encode(row, Stream.INTERCHANGE), exif.block(6, order=">")),
        exif.with_exif(pictures.pillow_jpeg(picture, quality=80, progressive=True), exif.block(7)),
        exif.with_exif(pictures.pillow_jpeg(row, quality=75, subsampling=1), exif.block(3, kind=exif.LONG, offset=20)),
    ]


def by_libjpeg(picture: pictures.Pixels) -> bytes:
    """A stream that libjpeg 6b writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        jpeglib.from_spatial(picture).write_spatial(str(path), qt=70)
        return path.read_bytes()


def refused(picture: pictures.Pixels) -> list[bytes]:
    """Streams that are refused: CMYK, and tables-only streams of colour and of grey."""
    return [
        cmyk(picture),
        TABLES.to_stream(),
        TableSet.standard(30, Sampling.GREY).to_stream(),
    ]


def cmyk(picture: pictures.Pixels) -> bytes:
    """A CMYK stream: four components."""
    out = io.BytesIO()
    Image.fromarray(picture).convert("CMYK").save(out, "jpeg")
    return out.getvalue()
