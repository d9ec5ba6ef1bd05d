"""Frames brought to a size: what Pillow makes of the decoded picture, without a decoded picture."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from shared.jpeg import (
    Box,
    CorruptScanError,
    Decoder,
    Encoder,
    Fit,
    FitMode,
    LimitExceededError,
    Limits,
    Quantisation,
    RateDistortion,
    Resize,
    Sampling,
    Stream,
    TableSet,
    Transcoder,
    UnknownTablesError,
    inspect,
)
from tests.shared.jpeg import exif, pictures

FINE = TableSet.standard(100)  # steps of 1: levels are coefficients
STRETCH = Fit(FitMode.STRETCH)
ORIENTATIONS = range(1, 9)
Levels = tuple[NDArray[np.int16], NDArray[np.int16] | None]


@dataclass(frozen=True)
class Bounds:
    """How far coefficients may lie apart: on average, and all but one of a hundred."""

    mean: float = 0.6
    p99: float = 3

    def hold(self, one: Levels, other: Levels) -> bool:
        return all(self.holds(*planes) for planes in zip(one, other, strict=True))

    def holds(self, one: NDArray[np.int16] | None, other: NDArray[np.int16] | None) -> bool:
        if one is None or other is None:
            return one is other
        error = abs(one.astype(int) - other)
        return bool(error.mean() <= self.mean and np.percentile(error, 99) <= self.p99)


BOUNDS = Bounds()


def mild(height: int, width: int, seed: int) -> pictures.Pixels:
    """A picture without black and white, whose coded values stay within bytes: clamping is not linear."""
    return pictures.natural(height, width, seed) // 2 + 64


def jpeg_of(picture: pictures.Pixels, sampling: Sampling = Sampling.YUV420, orientation: int = 1) -> bytes:
    """A JPEG of quality 90 with an orientation in its Exif."""
    jpeg = Encoder(TableSet.standard(90, sampling)).encode(picture, Stream.INTERCHANGE)
    return exif.with_exif(jpeg, exif.block(orientation))


def ours(jpeg: bytes, resize: Resize, tables: TableSet = FINE) -> Levels:
    return Transcoder(tables, resize=resize).levels(jpeg)


def upright(jpeg: bytes) -> Image.Image:
    return ImageOps.exif_transpose(Image.open(io.BytesIO(jpeg))).convert("RGB")


def of_pixels(image: Image.Image, resize: Resize, tables: TableSet = FINE, shift: float = 0) -> Levels:
    """What a sensor makes of a picture: Pillow's LANCZOS on RGB, then our encoder; `shift` pixels beside it."""
    box = resize.fit.box(*image.size, resize.width, resize.height)
    edges = (box.x + shift, box.y + shift, box.x + box.width + shift, box.y + box.height + shift)
    pixels = np.asarray(image.resize((resize.width, resize.height), Image.Resampling.LANCZOS, box=edges))
    y, c = Encoder(tables).quantise_batch(pixels[np.newaxis])
    return y[0], None if c is None else c[0]


def assert_alike(jpeg: bytes, resize: Resize, tables: TableSet = FINE, bounds: Bounds = BOUNDS) -> None:
    assert bounds.hold(ours(jpeg, resize, tables), of_pixels(upright(jpeg), resize, tables))


@pytest.mark.parametrize("sampling", list(Sampling))
@pytest.mark.parametrize("size", [(32, 32), (64, 48), (160, 208), (480, 640), (800, 1024)], ids=str)
@pytest.mark.parametrize("fit", [Fit(), Fit(share=0.6), STRETCH], ids=["crop", "share", "stretch"])
def test_it_is_what_pillow_makes_of_the_picture(sampling: Sampling, size: tuple[int, int], fit: Fit) -> None:
    assert_alike(jpeg_of(pictures.natural(477, 635, 1), sampling), Resize(*size, fit))


@pytest.mark.parametrize("sampling", [Sampling.YUV420, Sampling.YUV422, Sampling.YUV440, Sampling.YUV411])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_picture_stands_upright(sampling: Sampling, orientation: int) -> None:
    jpeg = jpeg_of(pictures.natural(117, 203, 2), sampling, orientation)
    for fit in (Fit(), Fit(share=0.7), STRETCH):
        assert_alike(jpeg, Resize(48, 64, fit))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_part_beside_the_middle_is_the_part_of_the_upright_picture(orientation: int) -> None:
    class Corner(Fit):
        def box(self, width: int, height: int, to_width: int, to_height: int) -> Box:
            return Box(5.5, 11.25, width / 2, height / 3)

    assert_alike(jpeg_of(pictures.natural(117, 203, 2), orientation=orientation), Resize(48, 64, Corner()))


@pytest.mark.parametrize("sampling", [Sampling.YUV420, Sampling.YUV422, Sampling.YUV440])
@pytest.mark.parametrize(("height", "width"), [(24, 32), (32, 24), (24, 24)])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_reversed_side_that_ends_inside_an_mcu_keeps_colours_in_their_places(
    sampling: Sampling, height: int, width: int, orientation: int
) -> None:
    """Both sides are whole blocks, but not whole MCUs: turned by blocks, chroma would lie half an MCU beside luma."""
    jpeg = jpeg_of(mild(height, width, 6), sampling, orientation)
    expected = upright(jpeg)
    made = Transcoder(FINE, resize=Resize(expected.height, expected.width)).transcode(jpeg, Stream.INTERCHANGE)
    error = np.asarray(upright(made), int) - np.asarray(expected)
    assert abs(error).mean() < 2.5


@pytest.mark.parametrize("height", [1, 2, 3, 5, 8, 9, 17, 100])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 16, 31])
def test_small_and_odd_pictures_are_brought_to_size(height: int, width: int) -> None:
    for sampling in Sampling:
        jpeg = jpeg_of(mild(height, width, 3), sampling)
        for fit in (Fit(), STRETCH):
            # One rounded pixel becomes many: its error adds up in few coefficients.
            assert_alike(jpeg, Resize(32, 48, fit), bounds=Bounds(p99=6))


@pytest.mark.parametrize("side", [16, 17, 30, 32, 60, 64, 120, 128, 240, 256, 480, 496])
def test_every_reduction_of_the_inverse_dct_leaves_the_picture_alike(side: int) -> None:
    picture = pictures.natural(496, 496, 4)
    assert_alike(jpeg_of(picture), Resize(side // 16 * 16, side // 16 * 16, Fit(share=side / (side // 16 * 16 + 15))))


@pytest.mark.parametrize("draw", [pictures.noise, pictures.portrait, pictures.flat])
def test_noise_photographs_and_flat_pictures_are_alike_too(draw: pictures.Draw) -> None:
    for size in ((32, 32), (96, 64)):
        assert_alike(jpeg_of(draw(400, 300, 5)), Resize(*size))


def test_the_bounds_see_half_a_pixel_another_part_another_turn_and_misplaced_chroma() -> None:
    resize, picture = Resize(160, 160, Fit(share=0.9)), mild(480, 640, 1)
    jpeg = jpeg_of(picture)
    image, true = upright(jpeg), ours(jpeg, resize)
    assert BOUNDS.hold(true, of_pixels(image, resize))
    assert not BOUNDS.hold(true, of_pixels(image, resize, shift=0.5))
    for fit in (Fit(), STRETCH, Fit(share=0.89)):
        assert not BOUNDS.hold(true, of_pixels(image, Resize(160, 160, fit)))
    for turn in Image.Transpose:
        assert not BOUNDS.hold(true, of_pixels(image.transpose(turn), resize))
    # Chroma one pixel beside its place. Pillow's YCbCr rounds luma down, so only chroma is compared.
    for pixels_beside, is_alike in ((0, True), (1, False)):
        y, *chroma = image.convert("YCbCr").split()
        moved = (Image.fromarray(np.roll(np.asarray(plane), pixels_beside, axis=1)) for plane in chroma)
        merged = Image.merge("YCbCr", (y, *moved)).convert("RGB")
        assert BOUNDS.holds(true[1], of_pixels(merged, resize)[1]) == is_alike


@pytest.mark.parametrize("sampling", list(Sampling))
@pytest.mark.parametrize("size", [(48, 64), (33, 70)], ids=str)
def test_an_upright_frame_of_the_size_is_never_resampled(sampling: Sampling, size: tuple[int, int]) -> None:
    jpeg, tables = jpeg_of(pictures.natural(*size, 6), sampling), TableSet.standard(70)
    for fit in (Fit(), STRETCH):
        resized = Transcoder(tables, resize=Resize(*size, fit))
        for stream in Stream:
            assert resized.transcode(jpeg, stream) == Transcoder(tables).transcode(jpeg, stream)


def test_levels_of_the_same_size_and_steps_stay() -> None:
    jpeg = jpeg_of(pictures.natural(48, 64, 6))
    levels = Decoder().decode(jpeg)
    y, c = ours(jpeg, Resize(48, 64), TableSet.standard(90))
    np.testing.assert_array_equal(y, levels.planes[0])
    np.testing.assert_array_equal(c, np.concatenate(levels.planes[1:]))


def turned(planes: NDArray[np.int16], orientation: int) -> NDArray[np.int16]:
    """64 planes of blocks upright, by what turning does to cosines."""
    blocks = planes.reshape(8, 8, *planes.shape[1:]).copy()  # v, u, rows, columns
    if orientation in {2, 3, 7, 8}:
        blocks[:, 1::2] *= -1
        blocks = blocks[..., ::-1]
    if orientation in {3, 4, 6, 7}:
        blocks[1::2] *= -1
        blocks = blocks[..., ::-1, :]
    if orientation >= 5:
        blocks = blocks.transpose(1, 0, 3, 2)
    return blocks.reshape(64, *blocks.shape[2:])


@pytest.mark.parametrize("sampling", [Sampling.YUV420, Sampling.YUV444, Sampling.GREY])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_where_the_size_stays_a_picture_is_turned_level_by_level(sampling: Sampling, orientation: int) -> None:
    steps = bytes(range(1, 65))
    tables = TableSet.standard(90, sampling).with_quant([steps] * sampling.components)
    picture = pictures.natural(48, 80, 7)
    jpeg = Encoder(tables).encode(picture, Stream.INTERCHANGE)
    size = (80, 48) if orientation >= 5 else (48, 80)
    swapped = bytes(np.frombuffer(steps, np.uint8).reshape(8, 8).T.ravel()) if orientation >= 5 else steps
    target = tables.with_quant([swapped] * sampling.components)
    transcoder = Transcoder(target, resize=Resize(*size))
    found = Decoder(target).decode(transcoder.transcode(exif.with_exif(jpeg, exif.block(orientation))))
    for plane, wanted in zip(found.planes, Decoder().decode(jpeg).planes, strict=True):
        np.testing.assert_array_equal(plane, turned(wanted, orientation))


@pytest.mark.parametrize("sampling", list(Sampling))
@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("stored", [(64, 96), (57, 91)], ids=["whole MCUs", "parts of MCUs"])
def test_where_the_size_stays_a_turned_picture_is_the_one_that_pillow_turns(
    sampling: Sampling, orientation: int, stored: tuple[int, int]
) -> None:
    jpeg = jpeg_of(pictures.natural(*stored, 8), sampling, orientation)
    size = stored[::-1] if orientation >= 5 else stored
    tables = TableSet.standard(100, Sampling.GREY if sampling is Sampling.GREY else Sampling.YUV420)
    found = Image.open(io.BytesIO(Transcoder(tables, resize=Resize(*size)).transcode(jpeg, Stream.INTERCHANGE)))
    error = abs(np.asarray(found.convert("L"), int) - np.asarray(upright(jpeg).convert("L"), int))
    assert found.size == size[::-1]
    assert error.mean() < 1
    assert np.percentile(error, 99) <= 4


@pytest.mark.parametrize("size", [(32, 32), (64, 48), (128, 128)], ids=str)
@pytest.mark.parametrize("sampling", [Sampling.YUV420, Sampling.GREY])
def test_levels_are_those_of_the_stream(size: tuple[int, int], sampling: Sampling) -> None:
    tables = TableSet.standard(60, sampling)
    for orientation in (1, 6):
        jpeg = jpeg_of(pictures.natural(64, 48, 9), orientation=orientation)
        transcoder = Transcoder(tables, resize=Resize(*size))
        y, c = transcoder.levels(jpeg)
        planes = Decoder(tables).decode(transcoder.transcode(jpeg)).planes
        np.testing.assert_array_equal(y, planes[0])
        assert (c is None) == (sampling is Sampling.GREY)
        if c is not None:
            np.testing.assert_array_equal(c, np.concatenate(planes[1:]))


def test_colour_becomes_grey_and_grey_stays_without_colour() -> None:
    colour, grey = (pictures.natural(200, 300, 10, channels) for channels in (3, 1))
    assert_alike(jpeg_of(colour), Resize(32, 32), TableSet.standard(100, Sampling.GREY))
    _, c = ours(jpeg_of(grey[..., 0], Sampling.GREY), Resize(32, 32))
    assert c is not None
    assert not c.any()


@pytest.mark.parametrize("sampling", [Sampling.YUV444, Sampling.YUV422])
def test_a_resized_frame_may_have_any_sampling(sampling: Sampling) -> None:
    tables = TableSet.standard(95, sampling)
    transcoder = Transcoder(tables, resize=Resize(50, 31))
    info = inspect(transcoder.transcode(jpeg_of(pictures.natural(200, 300, 10))))
    assert (info.height, info.width, info.sampling, info.tables_id) == (50, 31, sampling, tables.tables_id)


def test_levels_are_chosen_as_the_encoder_chooses_them() -> None:
    jpeg, resize, tables = jpeg_of(pictures.natural(200, 300, 11)), Resize(64, 64), TableSet.standard(40)
    mask = np.zeros(64, bool)
    mask[[1, 9]] = True
    how = Quantisation(rounding=0.3, mask=mask, rdo=RateDistortion(20.0))
    y, _ = Transcoder(tables, resize=resize, quantisation=how).levels(jpeg)
    image = upright(jpeg).resize((64, 64), Image.Resampling.LANCZOS, box=(50, 0, 250, 200))
    wanted, _ = Encoder(tables, quantisation=how).quantise_batch(np.asarray(image)[np.newaxis])
    assert not y[mask].any()
    assert (y != wanted[0]).mean() < 0.02
    assert np.count_nonzero(y) < np.count_nonzero(ours(jpeg, resize, tables)[0])


@pytest.mark.parametrize("how", [{"progressive": True}, {"restart_marker_blocks": 3}, {"optimize": True}])
def test_frames_of_other_processes_give_the_same(how: dict[str, Any]) -> None:
    picture = pictures.natural(120, 160, 12)
    plain, other = (pictures.pillow_jpeg(picture, quality=80, **options) for options in ({}, how))
    for resize in (Resize(32, 32), Resize(120, 160)):
        assert Transcoder(FINE, resize=resize).transcode(other) == Transcoder(FINE, resize=resize).transcode(plain)


def test_abbreviated_frames_are_read_with_their_tables() -> None:
    tables, picture = TableSet.standard(90), pictures.natural(100, 100, 13)
    frame, whole = (Encoder(tables).encode(picture, stream) for stream in (Stream.ABBREVIATED, Stream.INTERCHANGE))
    resize = Resize(32, 32)
    assert Transcoder(FINE, resize=resize, source=tables).transcode(frame) == Transcoder(FINE, resize=resize).transcode(
        whole
    )
    with pytest.raises(UnknownTablesError):
        Transcoder(FINE, resize=resize).levels(frame)


def test_damaged_and_too_large_frames_are_refused() -> None:
    jpeg = jpeg_of(pictures.natural(100, 100, 14))
    transcoder = Transcoder(FINE, resize=Resize(32, 32), limits=Limits(max_pixels=100 * 100))
    with pytest.raises(CorruptScanError):
        transcoder.levels(jpeg[:-40] + b"\xff\xd9")
    with pytest.raises(LimitExceededError):
        transcoder.transcode(jpeg_of(pictures.natural(101, 100, 14)))


def test_coefficients_that_no_picture_has_end_at_the_ends_of_a_byte() -> None:
    tables = TableSet.standard(50).with_quant([bytes([255] * 64)] * 3)
    levels = Decoder(tables).decode(Encoder(tables).encode(pictures.flat(64, 64, 1)))
    for plane in levels.planes:
        plane[:] = np.random.default_rng(1).integers(-1023, 1024, plane.shape)
    jpeg = Encoder(tables).encode_coefficients(levels, Stream.INTERCHANGE)
    for size in ((16, 16), (32, 48), (128, 128)):
        y, c = ours(jpeg, Resize(*size))
        assert c is not None
        assert max(abs(y[0]).max(), abs(c[0]).max()) <= 1024


@pytest.mark.parametrize(("height", "width"), [(0, 16), (16, -16), (16, 4112)])
def test_sizes_that_make_no_sense_are_refused(height: int, width: int) -> None:
    with pytest.raises(ValueError, match="1 to 4096"):
        Resize(height, width)


def test_levels_need_a_size_of_whole_mcus_and_a_sampling_that_classifiers_read() -> None:
    jpeg = jpeg_of(pictures.natural(32, 32, 1))
    for transcoder, error in (
        (Transcoder(FINE), "levels have a size"),
        (Transcoder(FINE, resize=Resize(32, 40)), "multiples of 16"),
        (Transcoder(TableSet.standard(50, Sampling.GREY), resize=Resize(32, 36)), "multiples of 8"),
        (Transcoder(TableSet.standard(50, Sampling.YUV444), resize=Resize(32, 32)), "4:2:0 or grey"),
    ):
        with pytest.raises(ValueError, match=error):
            transcoder.levels(jpeg)
