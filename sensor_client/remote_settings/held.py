"""Settings from afar, joined to the orders that capture and upload read: what is in effect replaces both."""

from collections.abc import Callable
from pathlib import Path

from sensor_client.clock import Clock
from sensor_client.policies import HeldCaptureOrders
from sensor_client.remote_settings.bounding import Orders, RemoteLimits
from sensor_client.remote_settings.following import FollowedSettings, OwnOrders
from sensor_client.remote_settings.record import SettingsFile
from sensor_client.signals import Signals
from sensor_client.upload_orders import HeldUploadOrders


def followed_settings(
    file: Path,
    family: str,
    limits: RemoteLimits,
    capture: HeldCaptureOrders,
    upload: HeldUploadOrders,
    *,
    clock: Clock,
    random: Callable[[], float],
    signals: Signals,
) -> FollowedSettings:
    """The settings that a device follows; the orders that are held now are its own.

    Args:
        file: of what is remembered.
    """

    def apply(orders: Orders) -> None:
        capture.replace(orders.capture)
        upload.replace(orders.upload)

    own = OwnOrders(family=family, orders=Orders(capture=capture.now, upload=upload.now), limits=limits)
    return FollowedSettings(
        file=SettingsFile(file),
        own=own,
        apply=apply,
        changed=signals.hurry_report,
        clock=clock,
        random=random,
    )
