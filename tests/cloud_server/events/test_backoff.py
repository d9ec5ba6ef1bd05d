"""An endpoint that fails is asked again sooner or later, at random, but neither at once nor never."""

import pytest

from cloud_server.events.backoff import (
    CEILING_SECONDS,
    FLOOR_SECONDS,
    LONGEST_RETRY_AFTER_SECONDS,
    delay_seconds,
)


@pytest.mark.parametrize(
    ("failures", "longest"), [(1, 2.0), (2, 4.0), (5, 32.0), (9, CEILING_SECONDS), (10_000, CEILING_SECONDS)]
)
def test_the_wait_is_anything_between_a_floor_and_a_ceiling_that_doubles(failures: int, longest: float) -> None:
    assert delay_seconds(failures, 0.0, lambda: 0.0) == FLOOR_SECONDS
    assert delay_seconds(failures, 0.0, lambda: 1.0) == FLOOR_SECONDS + longest


@pytest.mark.parametrize(
    ("asked", "least"), [(-5.0, FLOOR_SECONDS), (0.5, FLOOR_SECONDS), (90.0, 90.0), (1e9, LONGEST_RETRY_AFTER_SECONDS)]
)
def test_an_endpoint_that_asks_for_time_gets_it_up_to_an_hour(asked: float, least: float) -> None:
    assert delay_seconds(1, asked, lambda: 0.0) == least
