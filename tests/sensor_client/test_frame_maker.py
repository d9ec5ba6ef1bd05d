"""From shots to frames."""

import io
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from sensor_client.frame_maker import FrameMaker, JpegPart, Prepared
from sensor_client.policies import Region, RegionFit
from shared.bundle import Bundle, UnsupportedBundleError
from shared.jpeg import Decoder, Encoder, Fit, JpegError, Resize, Sampling, Stream, Transcoder, inspect
from shared.pictures import PictureError, Pixels, fitted
from tests.sensor_client.signed_bundles import THRIFTY, make_bundle

V1 = make_bundle(1)
V2 = make_bundle(2, settings=THRIFTY)


def blurred(width: int, height: int) -> Pixels:
    coarse = np.random.default_rng(4).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def jpeg_of(pixels: Pixels, quality: int = 92, **how: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "jpeg", quality=quality, **how)
    return out.getvalue()


@dataclass(frozen=True)
class Given:
    """A shot of a camera that gives JPEG, and counts who decodes it."""

    data: bytes | None
    decoded: list[bool]

    def jpeg(self) -> bytes | None:
        return self.data

    def pixels(self) -> Pixels:
        self.decoded.append(True)
        if self.data is None:
            return blurred(160, 120)
        try:
            return np.asarray(Image.open(io.BytesIO(self.data)).convert("RGB"))
        except OSError as error:
            raise PictureError("shot", str(error)) from error


def frame_of(shot: Given, bundle: Bundle, region: Region | None = None, *, transcodes: bool = True) -> bytes:
    maker = FrameMaker(bundle)
    prepared = Prepared(shot, bundle, region, transcodes=transcodes)
    return prepared.use(lambda picture: maker.frame(picture, Stream.ABBREVIATED))


def levels(bundle: Bundle, frame: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    return np.concatenate([plane.ravel() for plane in Decoder(bundle.tables).decode(frame).planes])


def test_a_jpeg_becomes_a_frame_without_being_decoded_to_pixels() -> None:
    shot = Given(jpeg_of(blurred(160, 120)), [])
    frame = frame_of(shot, V1)
    assert (inspect(frame).width, inspect(frame).height, inspect(frame).tables_id) == (32, 32, V1.tables.tables_id)
    assert not shot.decoded


def test_a_transcoded_frame_is_nearly_the_one_that_pixels_make() -> None:
    shot = Given(jpeg_of(blurred(160, 120)), [])
    ours, theirs = (levels(V1, frame_of(shot, V1, transcodes=way)) for way in (True, False))
    assert np.mean(ours == theirs) > 0.97 and np.abs(ours - theirs).max() <= 1


@pytest.mark.parametrize("size", [(32, 32), (160, 120)], ids=["its own size", "another size"])
def test_dead_zones_masks_and_rate_distortion_shape_transcoded_frames_as_they_do_encoded_ones(
    size: tuple[int, int],
) -> None:
    shot = Given(jpeg_of(blurred(*size)), [])
    plain, thrifty = frame_of(shot, V1), frame_of(shot, V2)
    settings = V2.encoding.settings.quantisation()
    assert thrifty == Transcoder(V2.tables, resize=Resize(32, 32), quantisation=settings).transcode(shot.data or b"")
    assert len(thrifty) < len(plain)
    y, _, _ = Decoder(V2.tables).decode(thrifty).planes
    assert not y[51:].any(), "what the bundle masks is never coded"
    coded, encoded = levels(V2, thrifty), levels(V2, frame_of(shot, V2, transcodes=False))
    assert np.mean(coded == encoded) > 0.97


def test_without_transcoding_and_without_a_jpeg_frames_are_made_of_pixels() -> None:
    for shot in (Given(jpeg_of(blurred(160, 120)), []), Given(None, [])):
        expected = Encoder(V1.tables).encode(fitted(shot.pixels(), Sampling.YUV420, (32, 32)))
        assert frame_of(shot, V1, transcodes=False) == expected
        assert shot.decoded


def test_a_jpeg_that_the_codec_refuses_is_decoded_and_says_why() -> None:
    cmyk = io.BytesIO()
    Image.fromarray(blurred(160, 120)).convert("CMYK").save(cmyk, "jpeg")
    shot, maker = Given(cmyk.getvalue(), []), FrameMaker(V1)
    prepared = Prepared(shot, V1, None, transcodes=True)
    assert isinstance(prepared.picture, JpegPart) and prepared.refusal is None

    frame = prepared.use(lambda picture: maker.frame(picture, Stream.ABBREVIATED))

    assert prepared.refusal and len(shot.decoded) == 1
    assert frame == Encoder(V1.tables).encode(fitted(shot.pixels(), Sampling.YUV420, (32, 32)))


def test_a_jpeg_that_nobody_can_read_is_an_unreadable_picture() -> None:
    with pytest.raises(PictureError):
        frame_of(Given(b"\xff\xd8 but no more", []), V1)


def test_what_fails_on_pixels_is_not_tried_again() -> None:
    def fail(_: object) -> bytes:
        raise JpegError("always")

    prepared = Prepared(Given(None, []), V1, None, transcodes=True)
    with pytest.raises(JpegError, match="always"):
        prepared.use(fail)


@pytest.mark.parametrize("transcodes", [True, False])
def test_a_region_is_cut_out_before_the_bundles_fit(transcodes: bool) -> None:
    bundle = make_bundle(3, fit=Fit(share=0.8))
    region = Region(0.5, 0.25, 0.5, 0.75)
    shot = Given(jpeg_of(blurred(160, 120)), [])
    cut = Given(jpeg_of(blurred(160, 120)[30:, 80:], 100, subsampling=0), [])
    ours, theirs = (
        levels(bundle, frame_of(shot, bundle, region, transcodes=transcodes)),
        levels(bundle, frame_of(cut, bundle, transcodes=False)),
    )
    assert np.mean(ours == theirs) > 0.95
    assert np.mean(ours == levels(bundle, frame_of(shot, bundle, transcodes=transcodes))) < 0.9


def test_pictures_that_stand_on_their_side_are_turned_before_the_region_is_cut() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = blurred(160, 120)
    lying = Given(jpeg_of(np.rot90(pixels).copy(), exif=exif), [])
    region = Region(0, 0, 0.5, 1)
    expected = Encoder(V1.tables).encode(fitted(pixels, Sampling.YUV420, (32, 32), RegionFit(region, Fit())))
    made = frame_of(lying, V1, region)
    assert not lying.decoded
    assert np.mean(levels(V1, made) == levels(V1, expected)) > 0.9


def test_one_maker_follows_a_region_that_changes() -> None:
    shot, maker = Given(jpeg_of(blurred(160, 120)), []), FrameMaker(V1)
    frames = []
    for region in (None, Region(0, 0, 0.5, 0.5), None):
        prepared = Prepared(shot, V1, region, transcodes=True)
        frames.append(maker.frame(prepared.picture, Stream.ABBREVIATED))
    assert frames[0] == frames[2] != frames[1]


def test_a_bundle_that_asks_for_too_much_makes_no_frames() -> None:
    with pytest.raises(UnsupportedBundleError):
        FrameMaker(make_bundle(4, lapping={"taps": [0.5]}))
