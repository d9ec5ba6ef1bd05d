"""Which numbers a server takes of a device: room is left above all that were taken, whoever took them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.wire import SEQUENCE_ALWAYS_MAX, SEQUENCE_STEP_MAX, is_too_high

QUOTA_FRAMES_PER_SECOND = 1000
"""What a device may post unless the server is set otherwise."""
RENUMBERED_ABOVE_MAX = 2**62
"""The highest number that a sensor goes on from."""
highest = st.integers(-1, RENUMBERED_ABOVE_MAX)


@given(highest, st.integers(1, SEQUENCE_STEP_MAX))
def test_above_the_highest_number_a_million_are_free_at_once_for_a_device_that_goes_on_there(
    highest: int, frames: int
) -> None:
    assert not is_too_high(highest + frames, highest)


@given(highest, st.integers(0, SEQUENCE_ALWAYS_MAX))
def test_no_number_that_a_device_reaches_by_counting_is_too_high(highest: int, sequence: int) -> None:
    assert not is_too_high(sequence, highest)


@pytest.mark.parametrize("highest", [-1, 0, SEQUENCE_ALWAYS_MAX - SEQUENCE_STEP_MAX])
def test_a_number_above_all_counting_is_too_high_for_a_device_with_low_ones(highest: int) -> None:
    assert is_too_high(SEQUENCE_ALWAYS_MAX + 1, highest)


@given(highest)
def test_what_was_taken_raises_the_bound_by_the_step_and_no_further(highest: int) -> None:
    bound = max(SEQUENCE_ALWAYS_MAX, highest + SEQUENCE_STEP_MAX)
    assert not is_too_high(bound, highest)
    assert is_too_high(bound + 1, highest)


@given(st.lists(st.integers(0, 2**63 - 1), max_size=50))
def test_whoever_drives_the_numbers_up_posts_a_frame_for_each_step(numbers: list[int]) -> None:
    highest, taken = -1, 0
    for number in sorted(numbers):
        if not is_too_high(number, highest):
            highest, taken = max(highest, number), taken + 1
    assert highest <= SEQUENCE_ALWAYS_MAX + taken * SEQUENCE_STEP_MAX


def test_driving_the_numbers_up_to_where_no_sensor_goes_on_takes_more_than_a_century_at_the_quota() -> None:
    frames = (RENUMBERED_ABOVE_MAX - SEQUENCE_ALWAYS_MAX) / SEQUENCE_STEP_MAX
    assert frames / QUOTA_FRAMES_PER_SECOND > 100 * 365 * 86_400
