"""OpenCV, which is loaded when a video is opened, and no earlier."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

WITHOUT = """
import sys
sys.modules["cv2"] = None
from sensor_client.sources.opencv import require_opencv
from sensor_client.sources import SourceError
try:
    require_opencv()
except SourceError as error:
    print(error)
"""
WITH = """
import sys
from sensor_client.sources.opencv import Capture
assert "cv2" not in sys.modules
video = Capture(sys.argv[1])
print(video.is_open, video.frame_count, list(video.frames()))
"""


def said(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)


def test_without_it_the_error_says_what_to_install() -> None:
    assert "extras [sensor,camera] from its wheel" in said(WITHOUT).stdout


def test_what_cannot_be_opened_gives_nothing_and_writes_nothing_among_the_log(tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="needs the extra [camera]")
    (tmp_path / "a.avi").write_bytes(b"rubbish" * 100)

    for address in (tmp_path / "a.avi", tmp_path / "gone.avi", "/dev/video99", "rtsp://user:secret@127.0.0.1:9/x"):
        told = said(WITH, address)
        assert (told.stdout, told.stderr) == ("False None []\n", "")
