"""Files that are wholly there or not at all."""

import stat
from pathlib import Path

import pytest

from shared import durable
from tests.sensor_client.disk_log import DiskLog
from tests.sensor_client.failing_disk import FailingDisk


def test_a_file_is_replaced_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"

    durable.write_file(path, b"old", mode=0o600)
    durable.write_file(path, b"new", mode=0o600)

    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failing", range(3))
def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path, failing: int) -> None:
    path = tmp_path / "slot"
    path.write_bytes(b"old")

    with pytest.raises(OSError), FailingDisk(failing):
        durable.write_file(path, b"new")

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_in_a_files_place_is_set_aside_whatever_lies_there(tmp_path: Path) -> None:
    for name in ("slot", ".slot.new", ".slot.aside", "active"):
        (tmp_path / name / "full").mkdir(parents=True)

    durable.write_file(tmp_path / "slot", b"new")
    durable.point_link(tmp_path / "active", "slot")

    assert (tmp_path / "active").read_bytes() == b"new"
    assert {path.name for path in tmp_path.iterdir()} == {"slot", "active", ".slot.aside", ".active.aside"}
    assert (tmp_path / ".slot.aside" / "full").is_dir()


def test_a_file_in_a_directorys_place_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "bundles").write_bytes(b"damage")

    durable.make_directory(tmp_path / "bundles")
    durable.make_directory(tmp_path / "bundles")

    assert (tmp_path / "bundles").is_dir()
    assert (tmp_path / ".bundles.aside").read_bytes() == b"damage"


def test_what_a_power_cut_left_is_used_up_by_the_next_write(tmp_path: Path) -> None:
    for content in (b"one", b"two"):
        with pytest.raises(SystemExit), FailingDisk(2, error=SystemExit):
            durable.write_file(tmp_path / "slot", content)
    (tmp_path / ".slot.new").write_bytes(b"half")

    durable.write_file(tmp_path / "slot", b"three")

    assert [path.name for path in tmp_path.iterdir()] == ["slot"]


def test_a_link_is_pointed_elsewhere_in_one_step(tmp_path: Path) -> None:
    link = tmp_path / "active"

    durable.point_link(link, "a.json")
    durable.point_link(link, "b.json")

    assert str(link.readlink()) == "b.json"
    assert list(tmp_path.iterdir()) == [link]


def test_a_file_is_synced_before_it_gets_its_name_and_the_name_after(tmp_path: Path) -> None:
    with DiskLog(tmp_path) as disk:
        durable.write_file(tmp_path / "slot", b"new content")

    assert disk.entries == ["sync .temporary 11", "replace", "sync ."]


def test_a_link_is_synced_once_it_points_elsewhere(tmp_path: Path) -> None:
    with DiskLog(tmp_path) as disk:
        durable.point_link(tmp_path / "active", "a.json")

    assert disk.entries == ["replace", "sync ."]


def test_what_cannot_be_read_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "whole").write_bytes(b"data")
    (tmp_path / "directory").mkdir()
    (tmp_path / "loop").symlink_to("loop")

    held = [durable.bytes_of(tmp_path / name) for name in ("whole", "missing", "directory", "loop")]

    assert held == [b"data", b"", b"", b""]
