"""A folder of pictures as a simulated camera."""

from itertools import islice

import numpy as np
import pytest
from PIL import Image

from sensor_client.camera import PIXEL_LIMIT, FolderCamera, PictureError, SourceError, list_shots, load_pixels
from shared.jpeg import Sampling
from tests.sensor_client.pictures import write_pictures


def save(path, size=(8, 8), colour=(200, 100, 50), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)


def test_shots_follow_the_numbers_in_the_names_across_folders(tmp_path):
    for name in ("B/10.png", "A/2.png", "A/frame-0001.png", "unnumbered.png", "notes/readme.bmp"):
        save(tmp_path / name)

    names = [str(shot.path.relative_to(tmp_path)) for shot in list_shots(tmp_path)]

    assert names == ["A/frame-0001.png", "A/2.png", "B/10.png", "notes/readme.bmp", "unnumbered.png"]


def test_a_folder_names_the_label_and_the_top_folder_names_none(tmp_path):
    save(tmp_path / "stop" / "0.png")
    save(tmp_path / "1.png")

    assert [shot.label for shot in list_shots(tmp_path)] == ["stop", None]


def test_a_looping_camera_begins_again(tmp_path):
    write_pictures(tmp_path, 2)

    names = [shot.path.stem for shot in islice(FolderCamera(tmp_path, loop=True).shots(), 5)]

    assert names == ["0", "1", "0", "1", "0"]
    assert len(list(FolderCamera(tmp_path, loop=False).shots())) == 2


def test_a_folder_without_pictures_is_no_source(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")

    with pytest.raises(SourceError, match="no pictures"):
        FolderCamera(tmp_path, loop=True)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "1", "CMYK", "I;16"])
def test_every_kind_of_picture_becomes_rgb_or_grey(tmp_path, mode):
    path = tmp_path / ("0.jpg" if mode == "CMYK" else "0.png")
    Image.new(mode, (20, 10), 1).save(path)

    colour = load_pixels(path, Sampling.YUV420)
    grey = load_pixels(path, Sampling.GREY)

    assert (colour.shape, colour.dtype) == ((10, 20, 3), np.uint8)
    assert (grey.shape, grey.dtype) == ((10, 20), np.uint8)


def test_a_picture_is_cropped_in_the_middle_not_squeezed(tmp_path):
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:, 32:64] = (0, 255, 0)
    Image.fromarray(wide).save(tmp_path / "0.png")

    pixels = load_pixels(tmp_path / "0.png", Sampling.YUV420, (32, 32))

    assert pixels.shape == (32, 32, 3)
    assert (pixels == (0, 255, 0)).all()


def test_a_picture_of_the_right_size_is_left_as_it_is(tmp_path):
    exact = np.random.default_rng(1).integers(0, 256, (16, 32, 3), dtype=np.uint8)
    Image.fromarray(exact).save(tmp_path / "0.png")

    assert (load_pixels(tmp_path / "0.png", Sampling.YUV420, (32, 16)) == exact).all()


def test_a_picture_lying_on_its_side_is_turned_upright(tmp_path):
    image = Image.new("RGB", (40, 20))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "0.jpg", exif=exif)

    assert load_pixels(tmp_path / "0.jpg", Sampling.YUV420).shape == (40, 20, 3)


@pytest.mark.parametrize(
    "content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"BM" + bytes(60)]
)
def test_a_file_that_is_no_picture_is_named(tmp_path, content):
    (tmp_path / "0.png").write_bytes(content)

    with pytest.raises(PictureError, match=r"0\.png"):
        load_pixels(tmp_path / "0.png", Sampling.YUV420)


def test_a_picture_cut_short_anywhere_is_refused_or_read_never_a_crash(tmp_path):
    save(tmp_path / "whole.png", size=(40, 40))
    data = (tmp_path / "whole.png").read_bytes()

    outcomes = set()
    for length in range(len(data)):
        (tmp_path / "cut.png").write_bytes(data[:length])
        try:
            outcomes.add(load_pixels(tmp_path / "cut.png", Sampling.YUV420).shape)
        except PictureError:
            outcomes.add("refused")

    assert "refused" in outcomes and outcomes <= {"refused", (40, 40, 3)}


@pytest.mark.parametrize("pixels", [PIXEL_LIMIT * 5 // 4, PIXEL_LIMIT * 3])
def test_a_bomb_of_a_picture_is_refused_before_it_is_unpacked(tmp_path, pixels):
    side = 1 << 13
    Image.new("1", (side, pixels // side)).save(tmp_path / "0.png")

    with pytest.raises(PictureError):
        load_pixels(tmp_path / "0.png", Sampling.GREY)


def test_a_file_that_went_away_is_a_picture_error(tmp_path):
    with pytest.raises(PictureError, match="No such file"):
        load_pixels(tmp_path / "gone.png", Sampling.YUV420)
