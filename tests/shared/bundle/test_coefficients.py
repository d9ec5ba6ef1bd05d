"""The statistics that workers compute of coefficients: against a loop over the blocks."""

from typing import Any

import numpy as np
import pytest

from shared.bundle.coefficients import coefficient_statistics


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize("frames", [1, 3])
def test_a_frame_s_means_are_of_dc_as_it_is_and_of_other_frequencies_absolute(dtype: type[Any], frames: int) -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(-40, 10, (frames, 64, 4, 6)).astype(dtype)
    c = rng.integers(-40, 10, (frames, 128, 2, 3)).astype(dtype)
    before = y.copy(), c.copy()
    found = coefficient_statistics(y, c)
    assert (found.y.shape, found.c.shape) == ((frames, 64), (frames, 2, 64))
    assert found.y.dtype == found.c.dtype == np.dtype(np.float32)
    for frame in range(frames):
        for frequency in range(64):
            absolute = abs if frequency else lambda plane: plane
            assert found.y[frame, frequency] == pytest.approx(absolute(y[frame, frequency].astype(float)).mean())
            for plane in (0, 1):
                blocks = c[frame, 64 * plane + frequency].astype(float)
                assert found.c[frame, plane, frequency] == pytest.approx(absolute(blocks).mean())
    assert (y == before[0]).all(), "the planes are the classifier's and stay as they are"
    assert (c == before[1]).all()


def test_the_lowest_level_has_its_absolute_value_too() -> None:
    lowest = np.full((1, 64, 4, 4), np.iinfo(np.int16).min, np.int16)
    found = coefficient_statistics(lowest, np.zeros((1, 128, 2, 2), np.int16))
    assert found.y[0].tolist() == [-32768.0] + [32768.0] * 63


def test_zeros_are_a_share_of_all_coefficients_of_the_frame() -> None:
    y, c = np.zeros((2, 64, 2, 2), np.int16), np.zeros((2, 128, 1, 1), np.int16)
    y[1, 3, 0, 1], c[1, 100] = -4, 2
    found = coefficient_statistics(y, c)
    assert found.zeros.dtype == np.dtype(np.float32)
    assert found.zeros.tolist() == pytest.approx([1, 1 - 2 / 384])


def test_rows_are_picked_in_order() -> None:
    y = np.arange(3, dtype=np.float32).reshape(3, 1, 1, 1) * np.ones((3, 64, 4, 4), np.float32)
    c = np.arange(3, dtype=np.float32).reshape(3, 1, 1, 1) * np.ones((3, 128, 2, 2), np.float32)
    found = coefficient_statistics(y, c).of([2, 0])
    assert found.y[:, 0].tolist() == [2.0, 0.0]
    assert found.c[:, 1, 5].tolist() == [2.0, 0.0]
