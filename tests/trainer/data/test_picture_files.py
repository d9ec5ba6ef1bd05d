"""Pictures in files: decoded like an array is indexed, cropped and scaled, whatever kind they are; damage is named."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.jpeg import Box, Fit, FitMode
from tests.trainer.data.picture_trees import picture
from trainer.data import crops
from trainer.data.picture_files import PictureFiles
from trainer.errors import DatasetError

SIZE = 32


@pytest.fixture
def files(tmp_path: Path) -> PictureFiles:
    """Ten PNG pictures of several sizes."""
    names = [f"{seed}.png" for seed in range(10)]
    for seed, name in enumerate(names):
        picture(seed, 40 + seed, 50).save(tmp_path / name)
    return PictureFiles(tmp_path, names, SIZE)


def test_files_are_indexed_like_an_array(files: PictureFiles) -> None:
    every = files[:]
    assert files.shape == every.shape == (10, SIZE, SIZE, 3)
    assert every.dtype == np.uint8
    assert np.array_equal(files[3:6], every[3:6])
    assert np.array_equal(files[np.array([7, 0, 7])], every[[7, 0, 7]])
    assert np.array_equal(files.only(np.array([4, 2]))[:], every[[4, 2]])


def test_a_picture_of_the_asked_size_comes_out_untouched(tmp_path: Path) -> None:
    picture(1, SIZE, SIZE).save(tmp_path / "a.png")
    assert np.array_equal(PictureFiles(tmp_path, ["a.png"], SIZE)[:][0], np.asarray(picture(1, SIZE, SIZE)))


def test_the_middle_of_the_longer_side_is_shown(tmp_path: Path) -> None:
    wide = np.zeros((SIZE, 3 * SIZE, 3), np.uint8)
    wide[:, SIZE : 2 * SIZE] = np.asarray(picture(1, SIZE, SIZE))
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert np.array_equal(PictureFiles(tmp_path, ["wide.png"], SIZE)[:][0], np.asarray(picture(1, SIZE, SIZE)))


def test_what_is_shown_may_be_fitted_otherwise() -> None:
    assert crops.fitted(Fit(share=0.5))(80, 40) == Box(30, 10, 20, 20)
    assert crops.fitted(Fit(FitMode.STRETCH))(80, 40) == Box(0, 0, 80, 40)


def test_large_jpeg_files_are_scaled_by_their_decoder_and_look_the_same(tmp_path: Path) -> None:
    detailed = Image.fromarray(np.random.default_rng(3).integers(0, 256, (24, 32, 3), dtype=np.uint8))
    large = detailed.resize((1600, 1200), Image.Resampling.BICUBIC)
    large.save(tmp_path / "large.jpg", quality=95)
    by_files = PictureFiles(tmp_path, ["large.jpg"], 128)[:][0].astype(int)
    whole = large.resize((128, 128), Image.Resampling.LANCZOS, box=(200, 0, 1400, 1200))
    assert np.abs(by_files - np.asarray(whole)).max() <= 3  # 5 where the decoder leaves no more than what is needed


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "RGBA", "PA"])
def test_other_kinds_of_samples_become_rgb(tmp_path: Path, mode: str) -> None:
    name = "a.tiff" if mode == "PA" else "a.png"
    picture(2, SIZE, SIZE).convert("P" if mode == "PA" else mode).save(tmp_path / name)
    pixels = PictureFiles(tmp_path, [name], SIZE)[:][0]
    with Image.open(tmp_path / name) as image:
        assert np.array_equal(pixels, np.asarray(image.convert("RGB")))


def test_cmyk_jpeg_files_become_rgb(tmp_path: Path) -> None:
    picture(2, SIZE, SIZE).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    error = np.abs(PictureFiles(tmp_path, ["a.jpg"], SIZE)[:][0].astype(int) - np.asarray(picture(2, SIZE, SIZE)))
    assert error.mean() < 3


def test_a_palette_with_transparency_gives_no_warning(tmp_path: Path) -> None:
    picture(2).quantize(8).save(tmp_path / "a.png", transparency=b"\x00\x80\xff")
    assert PictureFiles(tmp_path, ["a.png"], SIZE)[:].std() > 0


def test_random_crops_depend_on_seed_epoch_and_row_alone(files: PictureFiles) -> None:
    rows = np.arange(10)
    every = files.random_crops(rows, seed=1, epoch=2, flip=True)
    assert np.array_equal(files.random_crops(rows[[8, 3]], seed=1, epoch=2, flip=True), every[[8, 3]])
    for other in ({"seed": 2, "epoch": 2}, {"seed": 1, "epoch": 3}):
        assert (files.random_crops(rows, **other, flip=True) != every).any(axis=(1, 2, 3)).all()


def test_half_of_the_random_crops_are_mirrored_if_they_may_be(files: PictureFiles) -> None:
    rows = np.arange(10)
    plain = files.random_crops(rows, seed=1, epoch=2, flip=False)
    flipped = files.random_crops(rows, seed=1, epoch=2, flip=True)
    as_is = (plain == flipped).all(axis=(1, 2, 3))
    mirrored = (plain[:, :, ::-1] == flipped).all(axis=(1, 2, 3))
    assert (as_is ^ mirrored).all()
    assert 0 < mirrored.sum() < 10


def test_random_crops_have_the_usual_areas_and_shapes_and_lie_inside() -> None:
    draws = np.random.default_rng(1).random((500, 4)).tolist()
    boxes = [crops.anywhere(*draw)(640, 480) for draw in draws]
    assert all(
        0 <= box.x < box.x + box.width <= 640.001 and 0 <= box.y < box.y + box.height <= 480.001 for box in boxes
    )
    areas = [box.width * box.height / (640 * 480) for box in boxes]
    assert min(areas) == pytest.approx(0.08, abs=0.02)
    assert max(areas) == pytest.approx(0.97, abs=0.03)
    uncut = [box for box, area in zip(boxes, areas, strict=True) if area < 0.5]
    ratios = [box.width / box.height for box in uncut]
    assert (min(ratios), max(ratios)) == pytest.approx((3 / 4, 4 / 3), abs=0.01)


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def encoded(kind: str) -> bytes:
    file = io.BytesIO()
    picture(1, 300, 300).save(file, kind)
    return file.getvalue()


DAMAGED = {
    **{f"half a {kind}": truncated(encoded(kind)) for kind in ("JPEG", "PNG", "WEBP")},
    "nothing": b"",
    "text": b"no picture",
    "markers only": b"\xff\xd8\xff\xd9",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_picture_is_named(tmp_path: Path, content: bytes) -> None:
    picture(1).save(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(DatasetError, match=r"bad\.jpg: cannot be read.*replace or remove it"):
        PictureFiles(tmp_path, ["good.png", "bad.jpg"], SIZE)[:]


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"gone\.png: cannot be read: No such file"):
        PictureFiles(tmp_path, ["gone.png"], SIZE)[:]


def test_sixteen_bits_a_sample_are_trained_on_as_a_camera_sends_them(tmp_path: Path) -> None:
    grey = np.asarray(picture(3, SIZE, SIZE).convert("L"))
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    assert np.array_equal(PictureFiles(tmp_path, ["deep.png"], SIZE)[:][0], np.stack([grey] * 3, axis=2))


def test_a_picture_that_would_fill_memory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bomb.ppm").write_bytes(b"P6 20000 20000 255\n")
    with pytest.raises(DatasetError, match=r"bomb\.ppm: cannot be read: it has over 67108864 pixels"):
        PictureFiles(tmp_path, ["bomb.ppm"], SIZE)[:]
