"""Power cuts during updates, on a disk that forgets what was not synced."""

import random
from pathlib import Path

import pytest

from sensor_client.device_channel import DeviceChannel
from sensor_client.ota import Slots
from sensor_client.signals import Signals
from tests.sensor_client.device_plane import DevicePlane
from tests.sensor_client.fakes import FakeClock
from tests.sensor_client.lossy_disk import LossyDisk
from tests.sensor_client.ota.updating import Device, prove, take
from tests.sensor_client.signed_bundles import Publisher, make_bundle


@pytest.fixture
def device(tmp_path: Path, channel: DeviceChannel, publisher: Publisher, signals: Signals, clock: FakeClock) -> Device:
    return Device(tmp_path / "device", channel, publisher, signals, clock)


@pytest.mark.parametrize("cuts", [30, pytest.param(200, marks=pytest.mark.system)])
def test_a_disk_that_forgets_what_was_not_synced_leaves_a_whole_bundle_at_every_power_cut(
    device: Device, plane: DevicePlane, publisher: Publisher, tmp_path: Path, cuts: int
) -> None:
    chance = random.Random(13)
    (tmp_path / "device").mkdir()
    bundles = [make_bundle(counter, quality=30 + counter) for counter in range(1, 6)]
    for bundle in bundles:
        publisher.publish(bundle)
    plane.assign(1, "signs", 1)
    device.work()
    prove(device, bundles[0])
    came = 0
    for seq in range(2, 2 + cuts):
        here, wanted = (device.slots.active(), device.slots.previous()), chance.choice(bundles)
        plane.assign(seq, "signs", wanted.counter)
        names_first = chance.random() < 0.5
        with LossyDisk(tmp_path / "device", chance.randrange(14), writes_names_first=names_first) as disk:
            device.restart()
            device.updater.step()
        came += disk.was_cut

        assert Slots(tmp_path / "device" / "bundles").active() in (*here, wanted)
        assert device.slots.is_whole() and device.state_file.load().seq > 0, "nothing was left half on disk"
        device.restart()
        device.work()
        take(device)  # and end in order
        assert device.runs == wanted.name and device.slots.active() == wanted
        if chance.random() < 0.5:
            prove(device, wanted)
    assert came > cuts / 4
