"""Handles of the native codec: freed with their owners, and harmless when the interpreter ends."""

import subprocess
import sys

import numpy as np
import pytest

from shared.jpeg import CorruptJpegError, Decoder, Encoder, TableSet, arguments, native
from shared.jpeg.errors import ContainedFaultError


def test_a_codec_that_outlives_everything_does_not_crash_the_interpreter_at_its_end() -> None:
    code = "import sys; from shared.jpeg import *; sys.kept = [Encoder(TableSet.standard()), Decoder()]"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_contained_fault_refuses_its_input_and_can_be_told_from_corruption() -> None:
    failure = native.ffi.new("Failure *")
    failure.kind = 9
    with pytest.raises(CorruptJpegError) as caught:
        native._require(failure.kind, failure)
    assert isinstance(caught.value, ContainedFaultError)


def test_frames_that_can_change_are_copied_before_the_lock_is_released() -> None:
    frame = bytearray(b"before")
    held = native._unchanging(frame)
    frame[:] = b"after!"
    assert held == b"before"


def test_counts_of_too_few_symbols_are_never_written() -> None:
    levels = arguments.Levels((8, 8), 0, (np.zeros((1, 64, 1, 1), np.int16),))
    with pytest.raises(ValueError, match="too small"):
        native.count_symbols(levels, np.zeros((4, 255), np.uint64))
    with pytest.raises(ValueError, match="too small"):
        native.fit(np.zeros(255, np.uint64), is_ac=True)


class Boaster(np.ndarray):
    """Says that it has more rows and columns than its memory."""

    shape = property(lambda self: tuple(64 if side == 2 else side for side in np.shape(np.asarray(self))))


def test_no_memory_is_touched_that_an_array_only_claims() -> None:
    tables = TableSet.standard()
    pixels = np.zeros((2, 2, 3), np.uint8)
    assert Encoder(tables).encode(pixels.view(Boaster)) == Encoder(tables).encode(pixels)
    y, c = np.zeros((1, 64, 2, 2), np.int16).view(Boaster), np.zeros((1, 128, 32, 32), np.int16)
    with pytest.raises(ValueError, match="memory"):
        Decoder(tables).into(y, c)
    with pytest.raises(ValueError, match="match the size"):
        Encoder(tables).scan_bits_batch(y, c)
