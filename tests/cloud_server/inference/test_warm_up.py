"""The rule over measured times that says how large batches should be, on made-up times."""

import pytest

from cloud_server.inference.warm_up import BatchLimits, batch_cap, sizes_to_time

FREE = BatchLimits(frames=32, seconds=1.0, overhead_seconds=0.0)


def times(*milliseconds_a_frame: float) -> dict[int, float]:
    """Batches of 1, 2, 4... that take so much a frame."""
    return {2**power: 2**power * each / 1000 for power, each in enumerate(milliseconds_a_frame)}


@pytest.mark.parametrize(
    ("measured", "cap"),
    [
        (times(1.0), 1),
        (times(1.0, 0.9, 0.8, 0.7, 0.6, 0.5), 32),
        (times(1.0, 1.0, 1.0, 1.0, 1.0, 1.0), 1),
        (times(1.0, 0.8, 0.79, 0.785, 0.78, 0.78), 2),
        (times(1.0, 0.8, 0.7, 0.9, 1.1, 1.3), 4),
        (times(1.0, 1.1, 1.1, 0.9, 0.9, 0.9), 8),
    ],
)
def test_the_cap_is_where_time_a_frame_stops_falling(measured: dict[int, float], cap: int) -> None:
    assert batch_cap(measured, FREE) == cap


def test_no_batch_takes_longer_than_allowed() -> None:
    assert batch_cap(times(10, 9, 8, 7), BatchLimits(frames=8, seconds=0.04)) == 4


def test_a_single_frame_is_always_taken_however_long_it_takes() -> None:
    assert batch_cap(times(500, 400), BatchLimits(frames=2, seconds=0.1)) == 1


def test_what_a_batch_costs_beside_its_classifier_asks_for_larger_ones() -> None:
    flat = times(0.2, 0.2, 0.2, 0.2, 0.2, 0.2)
    assert batch_cap(flat, FREE) == 1
    assert batch_cap(flat, BatchLimits(frames=32, seconds=1.0, overhead_seconds=0.0002)) == 16


@pytest.mark.parametrize(("most", "sizes"), [(1, [1]), (2, [1, 2]), (5, [1, 2, 4, 5]), (32, [1, 2, 4, 8, 16, 32])])
def test_sizes_double_up_to_the_setting(most: int, sizes: list[int]) -> None:
    assert list(sizes_to_time(most)) == sizes
