"""Handles of the native codec: freed with their owners, and harmless when the interpreter ends."""

import subprocess
import sys


def test_a_codec_that_outlives_everything_does_not_crash_the_interpreter_at_its_end() -> None:
    code = "import sys; from shared.jpeg import *; sys.kept = [Encoder(TableSet.standard()), Decoder()]"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
