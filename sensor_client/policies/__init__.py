"""When a picture is taken, which part of it is sent, how much it matters: rules, and the orders that they follow."""

from sensor_client.policies.allowance import Allowance
from sensor_client.policies.changes import Looked, Reason, Sent, Sketch, look
from sensor_client.policies.orders import (
    DETAIL_BYTES_PER_HOUR,
    DETAIL_QUALITY,
    KEEP_ALIVE_SECONDS,
    CaptureOrders,
    HeldCaptureOrders,
    OnChange,
    Requests,
)
from sensor_client.policies.priority import priority_of
from sensor_client.policies.region import Region, RegionError, RegionFit
from sensor_client.policies.sampling import is_sampled
from sensor_client.policies.schedule import Schedule, ScheduleError, Window

__all__ = [
    "DETAIL_BYTES_PER_HOUR",
    "DETAIL_QUALITY",
    "KEEP_ALIVE_SECONDS",
    "Allowance",
    "CaptureOrders",
    "HeldCaptureOrders",
    "Looked",
    "OnChange",
    "Reason",
    "Region",
    "RegionError",
    "RegionFit",
    "Requests",
    "Schedule",
    "ScheduleError",
    "Sent",
    "Sketch",
    "Window",
    "is_sampled",
    "look",
    "priority_of",
]
