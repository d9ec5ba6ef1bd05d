"""What requests are for."""

import pytest

from sensor_client.budget import Urgency, Window
from sensor_client.traffic import Purpose, Traffic


@pytest.mark.parametrize(
    ("purpose", "urgency"),
    [
        (Purpose.LABELS, Urgency.ORDINARY),
        (Purpose.COMPANIONS, Urgency.ORDINARY),
        (Purpose.FRAMES, Urgency.URGENT),
        (Purpose.UPDATES, Urgency.UPKEEP),
        (Purpose.HEARTBEATS, Urgency.UPKEEP),
        (Purpose.OTHER, Urgency.UPKEEP),
    ],
)
def test_what_a_request_is_for_says_how_long_it_may_wait(purpose: Purpose, urgency: Urgency) -> None:
    assert purpose.urgency is urgency


def test_a_budget_is_used_up_once_that_of_any_period_is() -> None:
    limits = {Window.HOUR: 100, Window.DAY: 1000}

    assert not Traffic(spent={Window.HOUR: 99, Window.DAY: 999}, limits=limits).is_used_up
    assert Traffic(spent={Window.HOUR: 0, Window.DAY: 1000}, limits=limits).is_used_up
    assert not Traffic(spent={Window.HOUR: 10**9}).is_used_up
