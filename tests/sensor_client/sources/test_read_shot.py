"""A shot in memory, and one of a file, hold a picture to what a camera may read."""

import io
from pathlib import Path

import pytest
from PIL import Image

from sensor_client.sources.folder import FolderShot
from sensor_client.sources.read_shot import ReadShot
from sensor_client.sources.shot import Shot
from shared.pictures import SENSOR_LIMITS, PictureError


@pytest.mark.parametrize("kind", ["in memory", "in a file"])
def test_a_picture_of_too_many_pixels_or_bytes_is_refused(tmp_path: Path, kind: str) -> None:
    Image.new("1", (4096, 4097)).save(packed := io.BytesIO(), "PNG")
    for content, reason in (
        (packed.getvalue(), str(SENSOR_LIMITS.pixels)),
        (bytes(SENSOR_LIMITS.file_bytes + 1), str(SENSOR_LIMITS.file_bytes)),
    ):
        (tmp_path / "a.png").write_bytes(content)
        shot: Shot = ReadShot(content, "a.png") if kind == "in memory" else FolderShot(tmp_path / "a.png", None)
        with pytest.raises(PictureError, match=reason):
            shot.pixels()
