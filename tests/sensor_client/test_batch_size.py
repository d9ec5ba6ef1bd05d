"""How many frames one request carries."""

import pytest

from sensor_client.batch_size import SLOW_SECONDS, halved, regrown


@pytest.mark.parametrize(("frames", "after"), [(256, 128), (3, 1), (2, 1), (1, 1), (0, 1)])
def test_a_failed_request_is_followed_by_one_of_half_as_many_frames_but_of_one_at_least(
    frames: int, after: int
) -> None:
    assert halved(frames) == after


@pytest.mark.parametrize(
    ("size", "seconds", "after"),
    [(1, 0.1, 2), (100, SLOW_SECONDS, 200), (200, 0.1, 256), (100, SLOW_SECONDS + 1, 100), (300, 99.0, 256)],
)
def test_answered_requests_grow_again_unless_they_take_long(size: int, seconds: float, after: int) -> None:
    assert regrown(size, 256, seconds) == after
