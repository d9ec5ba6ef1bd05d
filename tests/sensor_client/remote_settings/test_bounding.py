"""Whatever is signed from afar, a device does no more than its own configuration allows."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sensor_client.budget import Budget
from sensor_client.policies import CaptureOrders, Region, Schedule, ScheduleError
from sensor_client.remote_settings import Orders, RemoteLimits, bounded
from sensor_client.remote_settings.bounding import LINGER_MAX_SECONDS
from sensor_client.upload_orders import UploadOrders
from shared.bundle import DeviceSettings

quick = hypothesis_settings(max_examples=40)
rates = st.floats(0.001, 1000)
shares = st.floats(0.001, 1)
budgets = st.integers(1024, 1 << 40)
windows = ("hour_bytes", "day_bytes", "month_bytes")


@st.composite
def regions(draw: st.DrawFn) -> tuple[float, float, float, float]:
    x, y = draw(st.floats(0, 0.9)), draw(st.floats(0, 0.9))
    return x, y, draw(st.floats(0.05, max(0.05, 1 - x - 0.001))), draw(st.floats(0.05, max(0.05, 1 - y - 0.001)))


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


hours = st.sampled_from(["06:00-20:00", "Mon-Fri 22:00-04:00", "UTC 05:00-19:00", "Sat,Sun 00:00-24:00"])
owns = st.builds(
    Orders,
    capture=st.builds(
        CaptureOrders,
        frames_per_second=maybe(rates),
        sampling_share=shares,
        active=maybe(hours.map(Schedule.of)),
        region=maybe(regions().map(lambda shares: Region(*shares))),
        detail_share=st.floats(0, 1),
        detail_bytes_per_hour=st.integers(0, 1 << 30),
        detail_quality=st.integers(1, 100),
    ),
    upload=st.builds(
        UploadOrders,
        batch=st.integers(1, 256),
        linger_seconds=st.floats(0, 86_400),
        budget=st.builds(
            Budget,
            hour_bytes=maybe(budgets),
            day_bytes=maybe(budgets),
            month_bytes=maybe(budgets),
            is_hard=st.booleans(),
        ),
        is_metered=st.booleans(),
    ),
)
limits_of = st.builds(
    RemoteLimits,
    frames_per_second=maybe(rates),
    picture_share=maybe(shares),
    detail_share=maybe(shares),
    hour_bytes=maybe(budgets),
    day_bytes=maybe(budgets),
    month_bytes=maybe(budgets),
    may_set_region=st.booleans(),
)
remotes = st.builds(
    DeviceSettings,
    family=st.just("digits"),
    counter=st.just(1),
    frames_per_second=maybe(rates),
    batch_frames=maybe(st.integers(1, 256)),
    linger_seconds=maybe(st.floats(0, 86_400)),
    budget_hour_bytes=maybe(budgets),
    budget_day_bytes=maybe(budgets),
    budget_month_bytes=maybe(budgets),
    picture_share=shares,
    detail_share=maybe(st.floats(0, 1)),
    detail_hour_bytes=maybe(st.integers(0, 1 << 30)),
    detail_quality=maybe(st.integers(1, 100)),
    active_hours=maybe(hours),
    region=maybe(regions()),
)
MONDAY = 1_699_833_600.0  # midnight, UTC


def is_within(found: float | None, own: float | None, limit: float | None) -> bool:
    """Whether a number is the device's own, or at most what its configuration lets others raise it to."""
    most = own if limit is None else limit
    return found == own or (found is not None and (most is None or found <= most))


@quick
@given(own=owns, limits=limits_of, remote=remotes)
def test_no_settings_make_a_device_do_more_than_its_configuration_allows(
    own: Orders, limits: RemoteLimits, remote: DeviceSettings
) -> None:
    found = bounded(own, limits, remote)
    was, now = own.capture, found.capture
    assert is_within(now.frames_per_second, was.frames_per_second, limits.frames_per_second)
    assert is_within(now.sampling_share, was.sampling_share, limits.picture_share)
    assert is_within(now.detail_share, was.detail_share, limits.detail_share)
    assert now.detail_bytes_per_hour <= was.detail_bytes_per_hour
    assert now.detail_quality == min(was.detail_quality, remote.detail_quality or 100)
    for window in windows:
        budgets = (getattr(of, window) for of in (found.upload.budget, own.upload.budget, limits))
        assert is_within(*budgets), window
    assert found.upload.batch >= own.upload.batch
    assert (
        own.upload.linger_seconds <= found.upload.linger_seconds <= max(own.upload.linger_seconds, LINGER_MAX_SECONDS)
    )
    assert (found.upload.is_metered, found.upload.budget.is_hard) == (own.upload.is_metered, own.upload.budget.is_hard)
    assert (now.on_change, now.rare_labels) == (was.on_change, was.rare_labels)


@quick
@given(own=owns, limits=limits_of, remote=remotes)
def test_nothing_outside_of_a_devices_own_region_is_ever_shown(
    own: Orders, limits: RemoteLimits, remote: DeviceSettings
) -> None:
    kept, found = own.capture.region, bounded(own, limits, remote).capture.region
    if not limits.may_set_region:
        assert found == kept
    elif kept is not None:
        assert found is not None
        assert found.x >= kept.x and found.y >= kept.y
        assert found.x + found.width <= kept.x + kept.width + 1e-9
        assert found.y + found.height <= kept.y + kept.height + 1e-9


@quick
@given(own=owns, limits=limits_of, remote=remotes, minute=st.integers(0, 7 * 24 * 60))
def test_no_picture_is_taken_outside_of_a_devices_own_hours(
    own: Orders, limits: RemoteLimits, remote: DeviceSettings, minute: int
) -> None:
    at = MONDAY + 60.0 * minute
    found = bounded(own, limits, remote).capture.active
    if own.capture.active is not None and not own.capture.active.is_active(at):
        assert found is not None and not found.is_active(at)
    if remote.active_hours is not None and not Schedule.of(remote.active_hours).is_active(at):
        assert found is not None and not found.is_active(at)


@quick
@given(own=owns, limits=limits_of, remote=remotes)
def test_without_settings_or_where_none_are_allowed_a_device_does_as_it_is_configured(
    own: Orders, limits: RemoteLimits, remote: DeviceSettings
) -> None:
    assert bounded(own, limits, None) == own
    assert bounded(own, RemoteLimits(is_allowed=False), remote) == own


OWN = Orders(
    capture=CaptureOrders(frames_per_second=1.0),
    upload=UploadOrders(batch=4, budget=Budget(day_bytes=1_000_000)),
)


def settings(**said: Any) -> DeviceSettings:
    return DeviceSettings(family="digits", counter=1, **said)


def test_a_device_is_made_thriftier_and_no_further_than_its_limits_more_lavish() -> None:
    thrifty = bounded(OWN, RemoteLimits(), settings(frames_per_second=0.1, budget_day_bytes=5000, batch_frames=16))
    assert thrifty.capture.frames_per_second == 0.1
    assert (thrifty.upload.budget.day_bytes, thrifty.upload.batch) == (5000, 16)
    lavish = settings(frames_per_second=10.0, budget_day_bytes=1 << 30, batch_frames=1)
    assert bounded(OWN, RemoteLimits(), lavish) == OWN
    raised = bounded(OWN, RemoteLimits(frames_per_second=5.0, day_bytes=2_000_000), lavish)
    assert (raised.capture.frames_per_second, raised.upload.budget.day_bytes) == (5.0, 2_000_000)


def test_where_a_device_lets_nobody_choose_its_region_it_shows_what_it_shows() -> None:
    remote, fixed = settings(region=(0.25, 0.25, 0.5, 0.5)), RemoteLimits(may_set_region=False)
    within = Orders(capture=CaptureOrders(region=Region(0, 0, 0.5, 1)), upload=UploadOrders())

    assert bounded(OWN, RemoteLimits(), remote).capture.region == Region(0.25, 0.25, 0.5, 0.5)
    assert bounded(within, RemoteLimits(), remote).capture.region == Region(0.25, 0.25, 0.25, 0.5)
    assert bounded(OWN, fixed, remote).capture.region is None
    assert bounded(within, fixed, remote).capture.region == Region(0, 0, 0.5, 1)


@pytest.mark.parametrize("region", [(0.495, 0, 0.4, 1), (0, 0.495, 1, 0.4), (0.6, 0.6, 0.3, 0.3)])
def test_a_region_of_which_a_device_shows_next_to_nothing_changes_nothing(
    region: tuple[float, float, float, float],
) -> None:
    own = Orders(capture=CaptureOrders(region=Region(0, 0, 0.5, 0.5)), upload=UploadOrders())

    assert bounded(own, RemoteLimits(), settings(region=region)).capture.region == Region(0, 0, 0.5, 0.5)


def test_hours_that_are_none_are_no_settings() -> None:
    with pytest.raises(ScheduleError):
        bounded(OWN, RemoteLimits(), settings(active_hours="Fun 06:00-20:00"))
