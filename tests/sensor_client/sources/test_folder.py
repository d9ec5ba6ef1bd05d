"""A folder of pictures as a simulated camera."""

import os
from itertools import islice
from pathlib import Path
from threading import Event

import pytest
from PIL import Image

from sensor_client.sources import SourceError
from sensor_client.sources.folder import FolderCamera, FolderShot, list_shots
from shared.pictures import PictureError
from tests.sensor_client.pictures import write_pictures


def save(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (200, 100, 50)).save(path)


def test_shots_follow_the_numbers_in_the_names_across_folders(tmp_path: Path) -> None:
    for name in ("B/10.png", "A/2.png", "A/frame-0001.png", "unnumbered.png", "notes/readme.bmp"):
        save(tmp_path / name)

    names = [str(shot.path.relative_to(tmp_path)) for shot in list_shots(tmp_path)]

    assert names == ["A/frame-0001.png", "A/2.png", "B/10.png", "notes/readme.bmp", "unnumbered.png"]


def test_a_folder_names_the_label_and_the_top_folder_names_none(tmp_path: Path) -> None:
    save(tmp_path / "stop" / "0.png")
    save(tmp_path / "1.png")

    assert [shot.label for shot in list_shots(tmp_path)] == ["stop", None]


def test_whatever_is_named_like_a_picture_is_a_shot_and_hidden_files_are_none(tmp_path: Path) -> None:
    save(tmp_path / "holiday.png" / "0.png")
    (tmp_path / "1.png").symlink_to(tmp_path)
    (tmp_path / "2.png").symlink_to("2.png")
    os.mkfifo(tmp_path / "3.JPG")
    for hidden in (".4.png", "._5.jpg", ".thumbnails/6.png"):
        save(tmp_path / hidden)

    shots = list_shots(tmp_path)

    assert [str(shot.path.relative_to(tmp_path)) for shot in shots] == ["holiday.png/0.png", "1.png", "2.png", "3.JPG"]
    for shot in shots[1:]:
        with pytest.raises(PictureError):
            shot.pixels()


@pytest.mark.parametrize("name", ["l" * 129, "two\nlines", os.fsdecode(b"caf\xe9")], ids=["long", "control", "bytes"])
def test_a_folder_whose_name_no_label_can_have_gives_its_pictures_none(tmp_path: Path, name: str) -> None:
    save(tmp_path / name / "0.png")
    save(tmp_path / "stop" / "1.png")

    assert [shot.label for shot in list_shots(tmp_path)] == [None, "stop"]


def test_a_looping_camera_begins_again(tmp_path: Path) -> None:
    write_pictures(tmp_path, 2)

    names = [shot.path.stem for shot in islice(FolderCamera(tmp_path, is_looping=True).shots(Event()), 5)]

    assert names == ["0", "1", "0", "1", "0"]
    assert len(list(FolderCamera(tmp_path, is_looping=False).shots(Event()))) == 2


def test_a_folder_without_pictures_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")

    with pytest.raises(SourceError, match="no pictures"):
        FolderCamera(tmp_path, is_looping=True)


def test_the_number_of_shots_is_known_unless_the_camera_loops(tmp_path: Path) -> None:
    write_pictures(tmp_path, 3)

    assert FolderCamera(tmp_path, is_looping=False).shot_count == 3
    assert FolderCamera(tmp_path, is_looping=True).shot_count is None


def test_a_jpeg_is_given_as_its_file_holds_it_and_another_picture_as_none(tmp_path: Path) -> None:
    for name in ("0.jpg", "1.png"):
        save(tmp_path / name)
    (tmp_path / "2.jpg").write_bytes(b"")
    jpeg, png, empty = list_shots(tmp_path)

    assert jpeg.jpeg() == (tmp_path / "0.jpg").read_bytes() and png.jpeg() is None
    for unreadable in (empty, FolderShot(tmp_path / "gone.jpg", None)):
        with pytest.raises(PictureError):
            unreadable.jpeg()
