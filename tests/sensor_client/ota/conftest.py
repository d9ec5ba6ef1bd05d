"""A device without tables, one that runs version 1, and one with version 2 on trial."""

from pathlib import Path

import pytest

from sensor_client.device_channel import DeviceChannel
from sensor_client.ota.update_state import Trial
from sensor_client.signals import Signals
from tests.sensor_client.device_plane import DevicePlane
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.ota.updating import V1, V2, Device, prove
from tests.sensor_client.signed_bundles import Publisher


@pytest.fixture
def device(tmp_path: Path, channel: DeviceChannel, publisher: Publisher, signals: Signals, clock: FakeClock) -> Device:
    return Device(tmp_path, channel, publisher, signals, clock)


@pytest.fixture
def on_v1(device: Device, plane: DevicePlane, publisher: Publisher) -> Device:
    publisher.publish(V1)
    plane.assign(1, "signs", 1)
    device.work()
    assert device.runs == "signs/1"
    return device


@pytest.fixture
def on_trial(on_v1: Device, plane: DevicePlane, publisher: Publisher) -> Device:
    """Version 1 has proved itself, version 2 is to."""
    prove(on_v1, V1)
    publisher.publish(V2)
    plane.assign(2, "signs", 2)
    on_v1.work()
    assert on_v1.runs == "signs/2" and isinstance(on_v1.updater.kept.phase, Trial)
    return on_v1
