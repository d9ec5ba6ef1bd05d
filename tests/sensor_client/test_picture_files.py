"""Picture files: read upright, brought to the encoder's geometry, and refused when they are damaged."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sensor_client.picture_files import PIXEL_LIMIT, PictureError, fitted, load_pixels
from shared.jpeg import Sampling


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "1", "CMYK", "I;16"])
def test_every_kind_of_picture_becomes_rgb_or_grey(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("0.jpg" if mode == "CMYK" else "0.png")
    Image.new(mode, (20, 10), 1).save(path)

    colour = fitted(load_pixels(path), Sampling.YUV420)
    grey = fitted(load_pixels(path), Sampling.GREY)

    assert (colour.shape, colour.dtype.name) == ((10, 20, 3), "uint8")
    assert (grey.shape, grey.dtype.name) == ((10, 20), "uint8")


def test_a_picture_is_cropped_in_the_middle_not_squeezed(tmp_path: Path) -> None:
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:, 32:64] = (0, 255, 0)
    Image.fromarray(wide).save(tmp_path / "0.png")

    pixels = fitted(load_pixels(tmp_path / "0.png"), Sampling.YUV420, (32, 32))

    assert pixels.shape == (32, 32, 3)
    assert (pixels == (0, 255, 0)).all()


def test_a_grey_picture_becomes_rgb_for_a_colour_encoder_and_stays_as_it_is_for_a_grey_one() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)

    colour = fitted(grey, Sampling.YUV420)

    assert all(np.array_equal(colour[..., channel], grey) for channel in range(3))
    assert fitted(grey, Sampling.GREY) is grey
    assert np.array_equal(fitted(colour, Sampling.GREY), grey)


def test_a_picture_of_the_right_size_is_left_as_it_is(tmp_path: Path) -> None:
    exact = np.random.default_rng(1).integers(0, 256, (16, 32, 3), dtype=np.uint8)
    Image.fromarray(exact).save(tmp_path / "0.png")

    assert (fitted(load_pixels(tmp_path / "0.png"), Sampling.YUV420, (32, 16)) == exact).all()


def test_a_picture_lying_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 20))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "0.jpg", exif=exif)

    assert load_pixels(tmp_path / "0.jpg").shape == (40, 20, 3)


@pytest.mark.parametrize(
    "content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"BM" + bytes(60)]
)
def test_a_file_that_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0.png").write_bytes(content)

    with pytest.raises(PictureError, match=r"0\.png"):
        load_pixels(tmp_path / "0.png")


def test_a_picture_cut_short_anywhere_is_refused_or_read_never_a_crash(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40), (200, 100, 50)).save(tmp_path / "whole.png")
    data = (tmp_path / "whole.png").read_bytes()

    outcomes: set[str | tuple[int, ...]] = set()
    for length in range(len(data)):
        (tmp_path / "cut.png").write_bytes(data[:length])
        try:
            outcomes.add(load_pixels(tmp_path / "cut.png").shape)
        except PictureError:
            outcomes.add("refused")

    assert "refused" in outcomes and outcomes <= {"refused", (40, 40, 3)}


@pytest.mark.parametrize("pixels", [PIXEL_LIMIT * 5 // 4, PIXEL_LIMIT * 3])
def test_a_bomb_of_a_picture_is_refused_before_it_is_unpacked(tmp_path: Path, pixels: int) -> None:
    side = 1 << 13
    Image.new("1", (side, pixels // side)).save(tmp_path / "0.png")

    with pytest.raises(PictureError):
        load_pixels(tmp_path / "0.png")


def test_a_file_that_went_away_is_a_picture_error(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="No such file"):
        load_pixels(tmp_path / "gone.png")
