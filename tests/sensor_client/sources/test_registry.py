"""An address finds its kind of picture source."""

from pathlib import Path

import pytest

from sensor_client.sources import SourceError, UnknownSourceError, open_source
from tests.sensor_client.pictures import write_pictures


@pytest.mark.parametrize("is_looping", [False, True])
def test_a_folder_is_opened_as_a_camera_that_ends_or_loops(tmp_path: Path, is_looping: bool) -> None:
    write_pictures(tmp_path, 2)

    camera = open_source(str(tmp_path), is_looping=is_looping)

    assert camera.shot_count == (None if is_looping else 2)
    assert next(iter(camera.shots())).label == "A"


def test_a_folder_without_pictures_is_known_but_no_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no pictures") as caught:
        open_source(str(tmp_path), is_looping=False)

    assert not isinstance(caught.value, UnknownSourceError)


@pytest.mark.parametrize("address", ["/no/such/folder", "rtsp://camera/1", __file__])
def test_an_address_of_no_known_kind_is_refused(address: str) -> None:
    with pytest.raises(UnknownSourceError):
        open_source(address, is_looping=False)
