"""An address finds its kind of picture source."""

from pathlib import Path
from threading import Event

import pytest

from sensor_client.sources import SourceError, SourceSettings, SourceSurroundings, UnknownSourceError, open_source
from tests.sensor_client.pictures import write_pictures


@pytest.mark.parametrize("is_looping", [False, True])
def test_a_folder_is_opened_as_a_camera_that_ends_or_loops(
    tmp_path: Path, around: SourceSurroundings, is_looping: bool
) -> None:
    write_pictures(tmp_path, 2)

    camera = open_source(str(tmp_path), SourceSettings(is_looping=is_looping), around)

    assert camera.shot_count == (None if is_looping else 2)
    assert next(camera.shots(Event())).label == "A"


def test_a_folder_without_pictures_is_known_but_no_source(tmp_path: Path, around: SourceSurroundings) -> None:
    with pytest.raises(SourceError, match="no pictures") as caught:
        open_source(str(tmp_path), SourceSettings(), around)

    assert not isinstance(caught.value, UnknownSourceError)


@pytest.mark.parametrize("address", ["/no/such/folder", "gopher://camera/1", __file__])
def test_an_address_of_no_known_kind_is_refused(around: SourceSurroundings, address: str) -> None:
    with pytest.raises(UnknownSourceError):
        open_source(address, SourceSettings(), around)
