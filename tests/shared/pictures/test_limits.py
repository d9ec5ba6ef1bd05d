"""How large a picture may be: less for a camera than for a trainer, and known before it costs memory."""

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.jpeg import Fit, Limits
from shared.pictures import (
    SENSOR_LIMITS,
    TRAINER_LIMITS,
    PictureError,
    PictureLimits,
    Pixels,
    load_jpeg,
    load_part,
    load_pixels,
    read_pixels,
)

SMALL = PictureLimits(file_bytes=4000, pixels=100)
READERS: tuple[Callable[[Path], Pixels], ...] = (
    lambda path: load_pixels(path, SMALL),
    lambda path: read_pixels(path.read_bytes(), path.name, SMALL),
    lambda path: load_part(path, 4, lambda w, h: Fit().box(w, h, 1, 1), SMALL),
)


def test_a_camera_takes_as_many_pixels_by_its_reader_as_by_its_codec() -> None:
    assert SENSOR_LIMITS.pixels == Limits().max_pixels < TRAINER_LIMITS.pixels
    assert SENSOR_LIMITS.file_bytes >= Limits().max_bytes
    assert SENSOR_LIMITS.of_jpeg.max_pixels == SENSOR_LIMITS.pixels


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "gif", "bmp"])
def test_every_reader_holds_a_picture_to_the_pixels_that_it_is_given(tmp_path: Path, suffix: str) -> None:
    for side in (10, 11):
        Image.new("RGB", (side, 10)).save(path := tmp_path / f"{side}.{suffix}")
        for read in READERS:
            if side == 10:
                assert read(path).shape[2] == 3
            else:
                with pytest.raises(PictureError, match=r"11\.\w+: .*100"):
                    read(path)


def test_a_file_too_long_is_refused_by_its_length_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.png"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    tracemalloc.start()
    for read in (load_pixels, load_jpeg):
        with pytest.raises(PictureError, match=f"{1 << 40} bytes; 1 to {SENSOR_LIMITS.file_bytes}"):
            read(path, SENSOR_LIMITS)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    with pytest.raises(PictureError, match="4001 bytes"):
        read_pixels(bytes(4001), "camera", SMALL)


GROWTH = r"""
import re, sys
from pathlib import Path
import PIL.Image
PIL.Image.init()
from shared.pictures import load_pixels
def peak_kib(): return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
before = peak_kib()
pixels = load_pixels(Path(sys.argv[1]))
print((peak_kib() - before) * 1024 / (pixels.size / 3))
"""


def test_a_picture_with_transparency_takes_no_more_than_twelve_bytes_a_pixel(tmp_path: Path) -> None:
    Image.new("RGBA", (4096, 2048)).save(tmp_path / "a.png", compress_level=1)
    said = subprocess.run(
        [sys.executable, "-c", GROWTH, tmp_path / "a.png"], capture_output=True, text=True, check=True
    )
    assert 7 <= float(said.stdout) < 12  # two copies of four, or of four and three


def test_a_picture_of_many_strips_is_the_same_as_in_one_piece(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).integers(0, 256, (200, 7, 3), dtype=np.uint8)
    Image.fromarray(samples).save(tmp_path / "a.png")
    deep = np.random.default_rng(2).integers(0, 65536, (200, 7)).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert np.array_equal(load_pixels(tmp_path / "a.png"), samples)
    expected = np.round(deep / 65535 * 255).astype(np.uint8)
    assert np.array_equal(load_pixels(tmp_path / "deep.png"), np.stack([expected] * 3, axis=2))
