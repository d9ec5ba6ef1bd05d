"""What is kept of a frame: an ordinary file with the same levels, and nothing but the picture."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from cloud_server.feedback.plain_jpeg import plain_jpeg
from shared.jpeg import Decoder, Encoder, Sampling, Stream, TableSet
from tests.cloud_server.harness.frames import frame, picture, tables

SECRET = b"52.5200N 13.4050E"


def camera_file(subsampling: int, **arguments: object) -> bytes:
    """A JPEG as a phone makes it: with Exif and a comment."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x010E] = SECRET.decode()
    image = Image.fromarray(picture(2))
    image.save(file, "jpeg", quality=93, subsampling=subsampling, exif=exif, comment=SECRET, **arguments)
    return file.getvalue()


def pixels(file: bytes) -> np.ndarray:
    """What any viewer shows."""
    return np.asarray(Image.open(io.BytesIO(file)))


@pytest.mark.parametrize("quality", [5, 50, 97])
def test_an_abbreviated_frame_gets_its_tables_back(quality: float) -> None:
    sent = frame(tables(quality), 3)
    kept = plain_jpeg(sent, tables(quality))
    assert Decoder().decode(kept) == Decoder(tables(quality)).decode(sent)
    whole = frame(tables(quality), 3, Stream.INTERCHANGE)
    assert np.array_equal(pixels(kept), pixels(whole))


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("arguments", [{}, {"optimize": True}, {"restart_marker_blocks": 1}])
def test_a_camera_s_own_file_keeps_its_levels_and_loses_its_metadata(
    subsampling: int, arguments: dict[str, object]
) -> None:
    sent = camera_file(subsampling, **arguments)
    kept = plain_jpeg(sent, None)
    assert Decoder().decode(kept) == Decoder().decode(sent)
    assert np.array_equal(pixels(kept), pixels(sent))
    assert SECRET in sent
    assert SECRET not in kept


def test_grey_stays_grey() -> None:
    sent = Encoder(TableSet.standard(80, Sampling.GREY)).encode(picture(1), Stream.INTERCHANGE)
    assert Decoder().decode(plain_jpeg(sent, None)) == Decoder().decode(sent)
    assert Image.open(io.BytesIO(plain_jpeg(sent, None))).mode == "L"


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_exif_says_to_turn_is_kept_upright(subsampling: int, orientation: int) -> None:
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(picture(2, 64)[:48]).save(file, "jpeg", quality=93, subsampling=subsampling, exif=exif)
    kept = plain_jpeg(file.getvalue(), None)
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(file.getvalue())))
    assert Image.open(io.BytesIO(kept)).getexif().get(0x0112, 1) == 1
    assert pixels(kept).shape == np.asarray(shown).shape
    assert np.abs(pixels(kept).astype(int) - np.asarray(shown).astype(int)).mean() < 4


def test_the_same_picture_makes_the_same_file() -> None:
    """A file's name is its digest, so that duplicates are stored once."""
    assert plain_jpeg(frame(tables(50), 3), tables(50)) == plain_jpeg(frame(tables(50), 3, Stream.INTERCHANGE), None)
