"""Settings from afar: followed as the assignment names them, verified, and bounded by the device's own."""

from sensor_client.remote_settings.bounding import Orders, RemoteLimits, bounded
from sensor_client.remote_settings.following import FollowedSettings, OwnOrders
from sensor_client.remote_settings.held import followed_settings
from sensor_client.remote_settings.record import SettingsFile, SettingsRecord

__all__ = [
    "FollowedSettings",
    "Orders",
    "OwnOrders",
    "RemoteLimits",
    "SettingsFile",
    "SettingsRecord",
    "bounded",
    "followed_settings",
]
