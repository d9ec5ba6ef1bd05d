"""Two slots on disk."""

from pathlib import Path

import pytest

from sensor_client.ota import Slots
from sensor_client.ota.slots import SLOTS
from tests.sensor_client.disk_log import DiskLog
from tests.sensor_client.failing_disk import FailingDisk
from tests.sensor_client.signed_bundles import make_bundle

ONE, TWO, THREE = make_bundle(1), make_bundle(2, quality=60), make_bundle(3, quality=70)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "bundles"


def test_a_new_device_has_no_bundle(folder: Path) -> None:
    assert Slots(folder).active() is None and Slots(folder).previous() is None


def test_a_bundle_is_installed_beside_the_one_in_use(folder: Path) -> None:
    slots = Slots(folder)
    for bundle in (ONE, TWO, THREE):
        slots.install(bundle)

    assert (Slots(folder).active(), Slots(folder).previous()) == (THREE, TWO)
    assert sorted(path.name for path in folder.iterdir()) == ["a.json", "active", "b.json"]


def test_a_damaged_slot_gives_way_to_the_other(folder: Path) -> None:
    slots = Slots(folder)
    slots.install(ONE)
    slots.install(TWO)
    (folder / "active").resolve().write_bytes(b'{"half": ')

    assert slots.active() == ONE


def test_a_bundle_that_a_later_version_of_the_program_left_gives_way_to_the_other(folder: Path) -> None:
    slots = Slots(folder)
    slots.install(ONE)
    slots.install(make_bundle(2, lapping={"taps": [0.5]}))

    assert (slots.active(), slots.previous()) == (ONE, None)


def test_a_power_cut_before_the_switch_leaves_the_old_bundle_active(folder: Path) -> None:
    slots = Slots(folder)
    slots.install(ONE)
    (folder / "b.json").write_bytes(TWO.to_bytes())  # written, the link not yet moved
    (folder / ".active.123").symlink_to("b.json")

    assert slots.active() == ONE
    slots.install(THREE)
    assert slots.active() == THREE


@pytest.mark.parametrize("failing", range(5))
def test_an_install_that_a_full_disk_stops_leaves_the_active_bundle(folder: Path, failing: int) -> None:
    slots = Slots(folder)
    slots.install(ONE)

    with pytest.raises(OSError), FailingDisk(failing):
        slots.install(TWO)

    assert slots.active() == ONE


def test_a_bundle_is_safe_on_disk_before_the_link_points_at_it(folder: Path) -> None:
    folder.mkdir()
    with DiskLog(folder) as disk:
        Slots(folder).install(ONE)

    size = len(ONE.to_bytes())
    assert disk.entries == [f"sync .temporary {size}", "replace", "sync .", "replace", "sync ."]


def test_rolling_back_makes_the_bundle_before_the_active_one_and_is_safe_on_disk(folder: Path) -> None:
    slots = Slots(folder)
    slots.install(ONE)
    slots.install(TWO)

    with DiskLog(folder) as disk:
        rolled_back = slots.roll_back()

    assert (rolled_back, slots.active(), slots.previous()) == (ONE, ONE, TWO)
    assert disk.entries == ["replace", "sync ."]


def test_rolling_back_to_a_damaged_slot_leaves_the_active_bundle(folder: Path) -> None:
    slots = Slots(folder)
    slots.install(ONE)
    slots.install(TWO)
    (folder / SLOTS[0]).write_bytes(b"{")

    with pytest.raises(OSError):
        slots.roll_back()

    assert slots.active() == TWO
