"""From samples of every kind to 8-bit RGB: as the rule for the kind says, or refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from shared.pictures import PictureError, load_pixels
from shared.pictures.samples import eight_bits

GREY = np.add.outer(np.arange(64) * 3, np.arange(64)).astype(np.uint8)
TRUE = np.random.default_rng(2).integers(0, 256, (16, 24, 3), dtype=np.uint8)


def read_back(image: Image.Image, path: Path) -> NDArray[np.uint8]:
    image.save(path)
    return load_pixels(path)


def grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The one plane of an RGB picture without colour."""
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


@pytest.mark.parametrize("name", ["deep.png", "deep.tiff", "deep.pgm"])
@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_sixteen_bits_become_the_eight_bits_of_the_same_picture(tmp_path: Path, name: str, order: str) -> None:
    deep = Image.fromarray((GREY.astype(np.uint16) * 257).astype(order))
    if deep.mode == "I;16B" and not name.endswith("tiff"):
        deep = Image.fromarray(GREY.astype(np.uint16) * 257)
    assert np.array_equal(grey(read_back(deep, tmp_path / name)), GREY)


@pytest.mark.parametrize("brightest", [65535, 40000, 16384, 16383, 4095, 300])
def test_a_sample_is_as_bright_whatever_else_is_in_the_picture(brightest: int) -> None:
    scene = np.linspace(0, 255, 64).astype(np.uint16).reshape(8, 8)
    with_more = np.vstack([scene, np.full((1, 8), brightest, np.uint16)])
    assert np.array_equal(eight_bits(with_more)[:-1], eight_bits(scene))
    assert (eight_bits(with_more)[-1] == round(brightest / 257)).all()


@pytest.mark.parametrize(("sample", "expected"), [(0, 0), (65535, 255), (128, 0), (129, 1), (16383, 64), (514, 2)])
def test_deep_samples_are_rounded_to_the_nearest(sample: int, expected: int) -> None:
    assert eight_bits(np.array([[sample]]))[0, 0] == expected


def test_whole_numbers_of_32_bits_are_read_where_sixteen_hold_them(tmp_path: Path) -> None:
    samples = GREY.astype(np.int32) * 257
    assert np.array_equal(grey(read_back(Image.fromarray(samples), tmp_path / "deep.tiff")), GREY)
    for odd in (-1, 65536, 2**31 - 1):
        samples[3, 3] = odd
        with pytest.raises(PictureError, match=r"deep\.tiff: samples from .* do not fit 16 bits"):
            read_back(Image.fromarray(samples), tmp_path / "deep.tiff")


@pytest.mark.parametrize("mode", ["F", "LAB"])
def test_samples_without_a_rule_are_refused_by_their_kind(tmp_path: Path, mode: str) -> None:
    with pytest.raises(PictureError, match=rf"odd\.tiff: no rule says how bright samples of kind {mode} are"):
        read_back(Image.new(mode, (8, 8)), tmp_path / "odd.tiff")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "RGBX", "CMYK"])
def test_colours_are_kept(tmp_path: Path, mode: str) -> None:
    assert np.array_equal(read_back(Image.fromarray(TRUE).convert(mode), tmp_path / "0.tiff"), TRUE)


@pytest.mark.parametrize("alpha", [0, 128, 255])
@pytest.mark.parametrize("name", ["0.png", "0.tiff", "0.webp"])
def test_what_lies_under_transparency_is_the_picture(tmp_path: Path, alpha: int, name: str) -> None:
    image = Image.fromarray(TRUE).convert("RGBA")
    image.putalpha(alpha)
    options: dict[str, Any] = {"lossless": True, "exact": True} if name.endswith("webp") else {}
    image.save(tmp_path / name, **options)
    assert np.array_equal(load_pixels(tmp_path / name), TRUE)


def test_transparent_grey_and_palettes_show_their_own_samples(tmp_path: Path) -> None:
    translucent = Image.fromarray(GREY).convert("LA")
    translucent.putalpha(7)
    assert np.array_equal(grey(read_back(translucent, tmp_path / "la.png")), GREY)
    palette = Image.fromarray(TRUE).quantize(16)
    expected = np.asarray(palette.convert("RGB"))
    for transparency in (0, b"\x00\x80\xff"):
        palette.save(tmp_path / "p.png", transparency=transparency)
        assert np.array_equal(load_pixels(tmp_path / "p.png"), expected)
    Image.fromarray(GREY).save(tmp_path / "keyed.png", transparency=5)
    assert np.array_equal(grey(load_pixels(tmp_path / "keyed.png")), GREY)
    Image.fromarray(GREY.astype(np.uint16) * 257).save(tmp_path / "deep.png", transparency=5)
    assert np.array_equal(grey(load_pixels(tmp_path / "deep.png")), GREY)


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    assert np.unique(read_back(Image.fromarray(GREY > 99), tmp_path / "1.png")).tolist() == [0, 255]


def test_the_inks_of_a_cmyk_jpeg_are_taken_off_white(tmp_path: Path) -> None:
    smooth = np.stack([GREY, GREY[::-1], GREY.T], axis=2)
    pixels = Image.fromarray(smooth).convert("CMYK")
    pixels.save(tmp_path / "cmyk.jpg", quality=95)
    assert np.abs(load_pixels(tmp_path / "cmyk.jpg").astype(int) - smooth).mean() < 4


@pytest.mark.parametrize("name", ["0.gif", "0.png", "0.webp", "0.tiff"])
def test_of_several_pictures_in_a_file_the_first_is_read(tmp_path: Path, name: str) -> None:
    first, second = Image.new("RGB", (8, 8), (200, 0, 0)), Image.new("RGB", (8, 8), (0, 0, 200))
    first.save(tmp_path / name, save_all=True, append_images=[second])
    red, _, blue = load_pixels(tmp_path / name).mean(axis=(0, 1))
    assert red > 150 and blue < 50
