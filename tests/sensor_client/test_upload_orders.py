"""Orders that change while a device sends."""

from sensor_client.budget import Budget
from sensor_client.upload_orders import METERED_LINGER_SECONDS, HeldUploadOrders, UploadOrders


def test_what_replaces_orders_holds_from_then_on() -> None:
    held = HeldUploadOrders(UploadOrders(batch=4))
    thrifty = UploadOrders(batch=64, linger_seconds=60.0, budget=Budget(day_bytes=1_000_000))

    held.replace(thrifty)

    assert held.now == thrifty


def test_a_metered_line_lets_frames_wait_for_company_but_never_shorter_than_was_asked_for() -> None:
    assert UploadOrders(linger_seconds=5.0).age_limit_seconds == 5.0
    assert UploadOrders(linger_seconds=5.0, is_metered=True).age_limit_seconds == METERED_LINGER_SECONDS
    assert UploadOrders(linger_seconds=7200.0, is_metered=True).age_limit_seconds == 7200.0
