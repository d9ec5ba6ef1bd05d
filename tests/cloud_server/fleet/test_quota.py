"""The token bucket: what a device gets at once and over time, and when to come back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_server.errors import QuotaError
from cloud_server.fleet.quota import Quota, Rate

rates = st.builds(Rate, frames_per_second=st.floats(0.5, 5000), burst_frames=st.integers(1, 500))
asked = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 600)), max_size=60)


def granted(quota: Quota[str], frames: int, now: float) -> bool:
    try:
        quota.take("camera", frames, now)
    except QuotaError:
        return False
    return True


def test_a_burst_is_taken_at_once_and_then_the_rate() -> None:
    quota = Quota[str](Rate(frames_per_second=10, burst_frames=5))
    assert [granted(quota, 1, 100.0) for _ in range(6)] == [True] * 5 + [False]
    assert [granted(quota, 1, 100.1) for _ in range(2)] == [True, False]
    assert [granted(quota, 1, 200.0) for _ in range(6)] == [True] * 5 + [False]


def test_a_batch_is_taken_whole_or_not_at_all_and_devices_have_a_bucket_each() -> None:
    quota = Quota[str](Rate(frames_per_second=1, burst_frames=10))
    quota.take("a", 8, 0.0)
    with pytest.raises(QuotaError) as refused:
        quota.take("a", 5, 0.0)
    assert refused.value.wait_seconds == pytest.approx(3)
    assert refused.value.retry_after_seconds == 3
    quota.take("a", 2, 0.0)
    quota.take("b", 10, 0.0)


def test_asking_takes_nothing() -> None:
    quota = Quota[str](Rate(frames_per_second=1, burst_frames=2))
    for _ in range(9):
        quota.check("camera", 2, 0.0)
    quota.take("camera", 2, 0.0)
    with pytest.raises(QuotaError):
        quota.check("camera", 1, 0.0)


@given(rates, asked)
def test_in_any_span_no_more_is_granted_than_the_burst_and_the_rate(
    rate: Rate, requests: list[tuple[float, int]]
) -> None:
    quota, now, grants = Quota[str](rate), 0.0, [(0.0, 0)]
    for pause, frames in requests:
        now += pause
        if granted(quota, frames, now):
            grants.append((now, frames))
    for start in range(len(grants)):
        for end in range(start, len(grants)):
            span = grants[end][0] - grants[start][0]
            taken = sum(frames for _, frames in grants[start : end + 1])
            assert taken <= rate.burst_frames + rate.frames_per_second * span + 1e-6 * (1 + taken)


@given(rates, asked)
def test_after_the_wait_that_was_named_the_same_is_granted_and_not_before(
    rate: Rate, requests: list[tuple[float, int]]
) -> None:
    quota, now = Quota[str](rate), 0.0
    for pause, wanted in requests:
        now += pause
        frames = min(wanted, rate.burst_frames)
        try:
            quota.take("camera", frames, now)
        except QuotaError as refused:
            assert refused.wait_seconds > 0
            assert not granted(quota, frames, now + 0.9 * refused.wait_seconds)
            now += refused.wait_seconds + 1e-6
            assert granted(quota, frames, now)


def test_memory_is_bounded_by_those_who_were_here_lately() -> None:
    quota = Quota[int](Rate(frames_per_second=1, burst_frames=1))
    for number in range(100_000):
        quota.take(number, 1, float(number))
    assert len(quota) <= 1025
