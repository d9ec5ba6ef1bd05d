"""When a file that somebody else writes may be read."""

import io

import pytest
from PIL import Image

from sensor_client.sources.readiness import PATIENCE_SECONDS, QUIET_SECONDS, FileEnds, may_be_read, seems_whole


def ends(content: bytes) -> FileEnds:
    return FileEnds(len(content), content[:16], content[-64:])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_a_file_that_ends_early_does_not_look_whole(kind: str) -> None:
    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(file, kind)
    content = file.getvalue()

    assert seems_whole(ends(content))
    assert not any(seems_whole(ends(content[:length])) for length in (20, len(content) // 2, len(content) - 1))


def test_zeros_behind_a_jpeg_are_no_matter_and_an_empty_file_is_not_whole() -> None:
    assert seems_whole(ends(b"\xff\xd8 \xff\xd9" + bytes(20)))
    assert not seems_whole(ends(b""))
    assert seems_whole(ends(b"P6 1 1 255\n..."))


def test_a_file_is_read_once_it_is_quiet_and_one_that_is_not_whole_only_after_long_patience() -> None:
    assert may_be_read(unchanged_seconds=QUIET_SECONDS, looks_whole=True)
    assert not may_be_read(unchanged_seconds=QUIET_SECONDS * 0.9, looks_whole=True)
    assert not may_be_read(unchanged_seconds=PATIENCE_SECONDS * 0.9, looks_whole=False)
    assert may_be_read(unchanged_seconds=PATIENCE_SECONDS, looks_whole=False)
