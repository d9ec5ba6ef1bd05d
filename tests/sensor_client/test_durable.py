"""Files that are wholly there or not at all."""

import stat
from pathlib import Path

import pytest

from sensor_client import durable
from tests.sensor_client.disk_log import DiskLog


def test_a_file_is_replaced_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"

    durable.write_file(path, b"old", mode=0o600)
    durable.write_file(path, b"new", mode=0o600)

    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "slot"
    path.mkdir()  # a directory cannot be replaced by a file

    with pytest.raises(OSError):
        durable.write_file(path, b"new")

    assert list(tmp_path.iterdir()) == [path]


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
