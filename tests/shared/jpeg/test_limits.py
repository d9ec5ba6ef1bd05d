"""Limits: what a stream may cost is refused before it is paid, with both values."""

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from shared.jpeg import CorruptJpegError, CorruptScanError, Decoder, LimitExceededError, Limits, inspect
from tests.shared.jpeg import pictures
from tests.shared.jpeg.test_errors import JPEG, PICTURE, frame_body, with_frame


@pytest.mark.parametrize(
    ("limits", "actual"),
    [
        (Limits(max_bytes=100), len(JPEG)),
        (Limits(max_side=39), 40),
        (Limits(max_pixels=1599), 1600),
        (Limits(max_markers=3), 4),
        (Limits(max_scans=0), 1),
    ],
)
def test_a_limit_passed_is_refused_with_both_values(limits: Limits, actual: int) -> None:
    for read in (Decoder(limits=limits).decode, lambda data: inspect(data, limits)):
        with pytest.raises(LimitExceededError) as caught:
            read(JPEG)
        assert caught.value.actual == actual
        assert caught.value.limit < actual
        assert caught.value.name in vars(limits)


def test_more_restart_markers_than_the_limit_are_refused_before_any_is_looked_for() -> None:
    # 40 x 40 in 4:2:0 are 9 MCUs; one in each interval, but the first, has a marker before it.
    jpeg = pictures.pillow_jpeg(PICTURE, subsampling=2, restart_marker_blocks=1)
    assert Decoder(limits=Limits(max_restarts=8)).decode(jpeg).height == 40
    for read in (Decoder(limits=Limits(max_restarts=7)).decode, lambda data: inspect(data, Limits(max_restarts=7))):
        with pytest.raises(LimitExceededError) as caught:
            read(jpeg.replace(b"\xff\xd0", b""))
        assert (caught.value.name, caught.value.limit, caught.value.actual) == ("max_restarts", 7, 8)


def test_limits_just_kept_refuse_nothing() -> None:
    limits = Limits(max_bytes=len(JPEG), max_pixels=1600, max_side=40, max_scans=1, max_markers=7, max_restarts=0)
    assert Decoder(limits=limits).decode(JPEG).height == 40


def test_a_huge_size_over_few_bytes_is_refused_before_anything_is_allocated() -> None:
    limits = Limits(max_pixels=1 << 32)
    jpeg = with_frame(_1=0xFF, _2=0, _3=0xFF, _4=0)
    with pytest.raises(CorruptScanError, match="cannot fit"):
        Decoder(limits=limits).decode(jpeg)


def test_a_huge_size_without_a_scan_is_refused_before_anything_is_allocated() -> None:
    # 2^24 pixels in three full components would be 96 MiB of levels.
    header = frame_body(_1=0x10, _2=0, _3=0x10, _4=0, _7=0x11)
    tracemalloc.start()
    with pytest.raises(CorruptJpegError, match="no scan"):
        Decoder().decode(b"\xff\xd8" + header + b"\xff\xd9")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1 << 20


@pytest.mark.skipif("ASAN_OPTIONS" in os.environ, reason="AddressSanitizer keeps what was freed for a while")
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system tells no peak of memory")
def test_a_large_progressive_frame_takes_no_more_memory_than_the_docs_say(tmp_path: Path) -> None:
    # 216 MB for 16 Mi pixels in 4:4:4 are less than 13 bytes a pixel.
    side = 2048
    picture = np.tile(pictures.natural(256, 256, 1), (side // 256, side // 256, 1))
    path = tmp_path / "large.jpg"
    path.write_bytes(pictures.pillow_jpeg(picture, quality=60, subsampling=0, progressive=True))
    program = """
import re, sys
from pathlib import Path
from shared.jpeg import Resize, TableSet, Transcoder
frame, transcoder = Path(sys.argv[1]).read_bytes(), Transcoder(TableSet.standard(50), resize=Resize(32, 32))
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) << 10
before = peak()
transcoder.levels(frame)
print(peak() - before)
"""
    run = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert 10 * side * side < int(run.stdout) < 13 * side * side
