"""Encoding pictures without a server."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sensor_client.offline import EncodedPicture, OfflineSettings, encode_pictures
from shared.jpeg import Decoder, Encoder, Resize, Sampling, Stream, TableSet, Transcoder
from shared.pictures import PictureError, fitted, load_pixels
from tests.sensor_client.signed_bundles import THRIFTY, make_bundle

BUNDLE = make_bundle(1, settings=THRIFTY)


def save(path: Path, **how: Any) -> Path:
    coarse = np.random.default_rng(4).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC).save(path, **how)
    return path


def encode(path: Path, settings: OfflineSettings, stream: Stream = Stream.INTERCHANGE) -> tuple[EncodedPicture, bytes]:
    [made] = encode_pictures([path], settings, stream, path.parent / "out")
    return made, (path.parent / "out" / f"{path.stem}{'.jpg' if stream is Stream.INTERCHANGE else '.dwj'}").read_bytes()


def test_a_jpeg_is_transcoded_as_run_does_it(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", quality=90)
    made, body = encode(path, OfflineSettings.of_bundle(BUNDLE), Stream.ABBREVIATED)
    settings = BUNDLE.encoding.settings.quantisation()
    transcoder = Transcoder(BUNDLE.tables, resize=Resize(32, 32), quantisation=settings)
    assert body == transcoder.transcode(path.read_bytes()) and made.is_transcoded
    assert (made.width, made.height, made.stream_bytes) == (32, 32, len(body))
    assert (tmp_path / "out" / f"{BUNDLE.tables.tables_id}.tables.jpg").read_bytes() == BUNDLE.tables.to_stream()


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_pixels_are_encoded_where_asked_or_where_there_is_no_jpeg(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / name)
    made, body = encode(path, OfflineSettings.of_bundle(BUNDLE, transcodes=name == "a.png"))
    pixels = fitted(load_pixels(path), Sampling.YUV420, (32, 32))
    assert body == BUNDLE.encoding.encoder().encode(pixels, Stream.INTERCHANGE) and not made.is_transcoded


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_at_its_own_size_a_jpeg_is_turned_upright_whichever_way_it_goes(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a.jpg", quality=95, exif=exif)
    ways = [encode(path, OfflineSettings.of_quality(50, transcodes=way)) for way in (True, False)]
    assert [made.is_transcoded for made, _ in ways] == [True, False]
    assert len({(made.width, made.height) for made, _ in ways}) == 1
    ours, theirs = (Decoder().decode(body).planes[0] for _, body in ways)
    assert np.mean(ours == theirs) > 0.97


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_picture_larger_than_a_camera_reads_is_refused(tmp_path: Path, name: str) -> None:
    Image.new("L", (4096, 4097)).save(tmp_path / name)
    with pytest.raises(PictureError, match=r"4097|16781312"):
        encode(tmp_path / name, OfflineSettings.of_bundle(BUNDLE))


def test_what_the_codec_refuses_is_encoded_from_its_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("CMYK", (64, 48), (9, 80, 160, 3)).save(path)
    made, body = encode(path, OfflineSettings.of_quality(50))
    expected = Encoder(TableSet.standard(50)).encode(load_pixels(path), Stream.INTERCHANGE)
    assert body == expected and not made.is_transcoded


def test_a_damaged_jpeg_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(save(tmp_path / "whole.jpg").read_bytes()[:900])
    with pytest.raises(PictureError, match=r"a\.jpg"):
        encode(path, OfflineSettings.of_quality(50))
