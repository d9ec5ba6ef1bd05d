"""The codec touches nothing but its caller's buffers, to the byte."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fences are Linux's")


def fences(*words: str) -> int:
    """The exit status of the process that reads and writes between fences."""
    return subprocess.run([sys.executable, "-m", "tests.shared.jpeg.fences", *words], check=False).returncode


def test_the_codec_stays_between_the_fences() -> None:
    assert fences() == 0


def test_a_byte_beyond_the_fence_ends_the_process() -> None:
    assert fences("overrun") != 0
