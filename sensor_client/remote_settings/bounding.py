"""What a device does under settings from afar: never more than its own configuration allows. Pure.

A rate, a share and a budget are at most what the device has itself, or what its configuration lets others raise them
to. Batches and waits only grow, hours and the region only shrink. What is not said stays as the device has it.
"""

from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import TypeVar

from sensor_client.budget import Budget
from sensor_client.policies import CaptureOrders, Region, Schedule
from sensor_client.policies.region import LEAST_SIDE
from sensor_client.upload_orders import UploadOrders
from shared.bundle import DeviceSettings

_Number = TypeVar("_Number", int, float)
LINGER_MAX_SECONDS = 3600.0
"""So long others may make an incomplete batch wait."""


@dataclass(frozen=True, kw_only=True)
class Orders:
    """How pictures are taken, and how they are sent."""

    capture: CaptureOrders
    upload: UploadOrders


@dataclass(frozen=True, kw_only=True)
class RemoteLimits:
    """What a device's configuration lets others set; None: no more than the device has itself.

    Args:
        is_allowed: whether they may set anything.
        frames_per_second, picture_share, detail_share: up to which they may raise these.
        hour_bytes, day_bytes, month_bytes: up to which they may raise the budgets.
        may_set_region: whether they may choose a part of what the device shows.
    """

    is_allowed: bool = True
    frames_per_second: float | None = None
    picture_share: float | None = None
    detail_share: float | None = None
    hour_bytes: int | None = None
    day_bytes: int | None = None
    month_bytes: int | None = None
    may_set_region: bool = True


@dataclass(frozen=True)
class Narrowed(Schedule):
    """Hours that two schedules have in common."""

    other: Schedule | None = None

    def __str__(self) -> str:
        return f"{super().__str__()}, and {self.other}"

    def is_active(self, at_seconds: float, zone: tzinfo | None = None) -> bool:
        """Whether both are."""
        other_is = self.other is None or self.other.is_active(at_seconds, zone)
        return other_is and super().is_active(at_seconds, zone)


def bounded(own: Orders, limits: RemoteLimits, settings: DeviceSettings | None) -> Orders:
    """What a device does.

    Args:
        own: what its configuration says.
        settings: from afar, verified; None: there are none.

    Raises:
        ScheduleError, RegionError: the hours or the region are none.
    """
    if settings is None or not limits.is_allowed:
        return own
    return Orders(
        capture=_capture(own.capture, limits, settings),
        upload=_upload(own.upload, limits, settings),
    )


def _capture(own: CaptureOrders, limits: RemoteLimits, settings: DeviceSettings) -> CaptureOrders:
    region = None if settings.region is None else Region(*settings.region)
    return replace(
        own,
        frames_per_second=_at_most(settings.frames_per_second, own.frames_per_second, limits.frames_per_second),
        sampling_share=_share(settings.picture_share, own.sampling_share, limits.picture_share),
        detail_share=_share(settings.detail_share, own.detail_share, limits.detail_share),
        detail_bytes_per_hour=min(
            _or(settings.detail_hour_bytes, own.detail_bytes_per_hour), own.detail_bytes_per_hour
        ),
        detail_quality=min(_or(settings.detail_quality, own.detail_quality), own.detail_quality),
        active=own.active if settings.active_hours is None else _narrowed(own.active, settings.active_hours),
        region=_within(own.region, region) if limits.may_set_region else own.region,
    )


def _upload(own: UploadOrders, limits: RemoteLimits, settings: DeviceSettings) -> UploadOrders:
    wait_seconds = min(_or(settings.linger_seconds, own.linger_seconds), LINGER_MAX_SECONDS)
    return replace(
        own,
        batch=max(own.batch, _or(settings.batch_frames, own.batch)),
        linger_seconds=max(own.linger_seconds, wait_seconds),
        budget=_budget(own.budget, limits, settings),
    )


def _budget(own: Budget, limits: RemoteLimits, settings: DeviceSettings) -> Budget:
    return replace(
        own,
        hour_bytes=_at_most(settings.budget_hour_bytes, own.hour_bytes, limits.hour_bytes),
        day_bytes=_at_most(settings.budget_day_bytes, own.day_bytes, limits.day_bytes),
        month_bytes=_at_most(settings.budget_month_bytes, own.month_bytes, limits.month_bytes),
    )


def _at_most(wanted: _Number | None, own: _Number | None, limit: _Number | None) -> _Number | None:
    """What is wanted, no more than the limit, which is the device's own where none is set; None limits nothing."""
    if wanted is None:
        return own
    most = own if limit is None else limit
    return wanted if most is None else min(wanted, most)


def _share(wanted: float | None, own: float, limit: float | None) -> float:
    return own if wanted is None else min(wanted, own if limit is None else limit)


def _or(wanted: _Number | None, own: _Number) -> _Number:
    return own if wanted is None else wanted


def _narrowed(own: Schedule | None, text: str) -> Schedule:
    wanted = Schedule.of(text)
    return wanted if own is None else Narrowed(own.windows, own.is_utc, wanted)


def _within(own: Region | None, wanted: Region | None) -> Region | None:
    """What both show; the device's own where that is next to nothing, or nothing is wanted."""
    if own is None or wanted is None:
        return wanted or own
    left, top = max(own.x, wanted.x), max(own.y, wanted.y)
    right = min(own.x + own.width, wanted.x + wanted.width)
    bottom = min(own.y + own.height, wanted.y + wanted.height)
    if right - left < LEAST_SIDE or bottom - top < LEAST_SIDE:
        return own
    return Region(left, top, right - left, bottom - top)
