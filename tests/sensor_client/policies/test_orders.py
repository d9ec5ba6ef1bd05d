"""What may change about taking pictures while the sensor runs."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from sensor_client.policies import CaptureOrders, HeldCaptureOrders, OnChange, Requests


def test_orders_are_in_effect_until_they_are_replaced() -> None:
    first = CaptureOrders(frames_per_second=1)
    held = HeldCaptureOrders(first)
    assert held.now is first

    held.replace(replace(first, frames_per_second=2))

    assert held.now.frames_per_second == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: CaptureOrders(frames_per_second=0),
        lambda: CaptureOrders(frames_per_second=float("nan")),
        lambda: CaptureOrders(sampling_share=0),
        lambda: CaptureOrders(sampling_share=1.1),
        lambda: CaptureOrders(detail_share=-0.1),
        lambda: CaptureOrders(detail_bytes_per_hour=-1),
        lambda: CaptureOrders(detail_quality=0),
        lambda: CaptureOrders(detail_quality=101),
        lambda: OnChange(threshold=0),
        lambda: OnChange(threshold=256),
        lambda: OnChange(threshold=6, keep_alive_seconds=0),
    ],
)
def test_orders_that_nobody_can_follow_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="not"):
        make()


def test_each_request_is_taken_once() -> None:
    requests = Requests()
    assert not requests.are_waiting and not requests.take()

    requests.ask(2)

    assert requests.are_waiting
    assert [requests.take() for _ in range(3)] == [True, True, False]


def test_no_more_pictures_can_be_asked_for_at_once_than_a_hundred() -> None:
    requests = Requests()
    requests.ask(10**9)
    requests.ask(-5)
    assert sum(requests.take() for _ in range(1000)) == 100
