"""Slots and records on a real disk that is full, broken or damaged: the bundle in use stays, and files heal."""

import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from sensor_client.ota import Slots
from tests.sensor_client.device_plane import DevicePlane
from tests.sensor_client.failing_disk import FailingDisk
from tests.sensor_client.ota.damages import DAMAGES
from tests.sensor_client.ota.updating import V1, V2, Device, prove, take
from tests.sensor_client.signed_bundles import Publisher, make_bundle


def test_a_device_that_lost_its_slots_fetches_the_settled_assignment_again(on_v1: Device) -> None:
    for slot in on_v1.slots._directory.iterdir():
        slot.unlink()

    on_v1.restart()
    on_v1.work()

    assert on_v1.runs == "signs/1"


def test_a_disk_that_refuses_the_slot_leaves_the_active_bundle_and_is_tried_again(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    publisher.publish(V2)
    plane.assign(2, "signs", 2)

    with pytest.raises(OSError), FailingDisk(at=4):
        on_v1.updater.step()
    assert on_v1.runs == "signs/1"

    on_v1.work()
    assert on_v1.runs == "signs/2"


def test_a_damaged_memory_of_assignments_counts_as_none(on_v1: Device) -> None:
    on_v1.state_file._path.write_bytes(b"\x00\x00")

    on_v1.restart()
    on_v1.work()

    assert on_v1.runs == "signs/1"
    assert on_v1.state_file.load().seq == 1


def test_a_bundle_that_lies_here_is_not_downloaded_again(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    publisher.publish(V2)
    for seq, counter in ((2, 2), (3, 1), (4, 2)):
        plane.assign(seq, "signs", counter)
        on_v1.work()
    assert on_v1.runs == "signs/2"

    assert len([request for request in plane.requests if request.path.endswith(".2.json")]) == 1
    assert len([request for request in plane.requests if request.path.endswith(".1.json")]) == 1


def test_a_bundle_that_the_disk_would_not_take_is_not_downloaded_again_at_every_retry(
    on_v1: Device, plane: DevicePlane, publisher: Publisher
) -> None:
    publisher.publish(V2)
    plane.assign(2, "signs", 2)
    for at in range(99):
        with FailingDisk(at) as disk, suppress(OSError):
            on_v1.updater.step()
        assert on_v1.runs in ("signs/1", "signs/2") and Slots(on_v1.slots._directory).active() is not None
        if disk.calls <= at:
            break

    assert on_v1.runs == "signs/2"
    assert len([request for request in plane.requests if request.path.endswith(".2.json")]) <= 2


@pytest.mark.parametrize("fault", [MemoryError, ValueError, RecursionError])
def test_after_a_fault_anywhere_the_next_run_goes_on_with_what_the_disk_says(
    on_v1: Device, plane: DevicePlane, publisher: Publisher, fault: type[Exception]
) -> None:
    prove(on_v1, V1)
    for at in range(0, 60, 3):
        counter = at + 2
        publisher.publish(make_bundle(counter))
        plane.assign(counter, "signs", counter)
        on_v1.signals.notice_assignment(counter)
        with FailingDisk(at, error=fault), suppress(fault):
            on_v1.updater.step()
        on_v1.run_until(lambda counter=counter: on_v1.runs == f"signs/{counter}")  # type: ignore[misc]
        assert on_v1.slots.active() == on_v1.active.bundle


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["bundles/a.json", "bundles/b.json", "bundles/active", "update-state.json"])
def test_a_damaged_file_heals_without_a_new_assignment(
    on_trial: Device, plane: DevicePlane, tmp_path: Path, name: str, damage: str
) -> None:
    prove(on_trial, V2)
    DAMAGES[damage](tmp_path / name)

    on_trial.restart()
    on_trial.run_until(lambda: on_trial.runs == "signs/2")
    on_trial.work()

    assert Slots(tmp_path / "bundles").active() == V2
    assert on_trial.slots.is_whole() and on_trial.state_file.load().seq == 2
    assert sum(on_trial.clock.waits[:-1]) < 60, "it asks at once"


@pytest.mark.parametrize("name", ["bundles/a.json", "bundles/b.json", "bundles/active"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_slots_that_are_damaged_while_the_program_runs_heal(
    on_trial: Device, tmp_path: Path, name: str, damage: str
) -> None:
    DAMAGES[damage](tmp_path / name)

    on_trial.work()

    assert (Slots(tmp_path / "bundles").active(), Slots(tmp_path / "bundles").previous()) == (V2, V1)
    on_trial.evidence.encoder_failed(V2.target_path, "why")
    take(on_trial)
    assert on_trial.runs == "signs/1"


def test_a_device_that_lost_all_its_files_but_who_it_is_comes_back_to_its_bundle(
    on_trial: Device, tmp_path: Path
) -> None:
    for name in ("bundles", "trust"):
        shutil.rmtree(tmp_path / name)
    (tmp_path / "update-state.json").unlink()

    on_trial.restart()
    on_trial.run_until(lambda: on_trial.runs == "signs/2")
