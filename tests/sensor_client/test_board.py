"""What a board tells is read in a bounded way, and what it does not tell is left out."""

from pathlib import Path

import pytest

from sensor_client.board import board_state, is_nearly_full


def zone(folder: Path, number: int, content: bytes) -> None:
    (folder / f"thermal_zone{number}").mkdir(parents=True)
    (folder / f"thermal_zone{number}" / "temp").write_bytes(content)


def test_the_warmest_sensor_the_room_and_the_memory_are_told(tmp_path: Path) -> None:
    zone(tmp_path, 0, b"41234\n")
    zone(tmp_path, 1, b"56000\n")
    (tmp_path / "statm").write_bytes(b"1000 25 10 1 0 5 0\n")
    board = board_state(tmp_path, tmp_path, tmp_path / "statm")
    assert (board.temperature_celsius, board.memory_bytes) == (56.0, 25 * 4096)
    assert board.free_disk_bytes is not None and board.free_disk_bytes > 0


@pytest.mark.parametrize("content", [b"", b"warm", b"-274000", b"\xff" * 10, b"9" * 5000, b"1000000"])
def test_a_sensor_that_is_none_is_left_out(tmp_path: Path, content: bytes) -> None:
    zone(tmp_path, 0, content)
    board = board_state(tmp_path / "gone", tmp_path, tmp_path / "gone")
    assert (board.temperature_celsius, board.free_disk_bytes, board.memory_bytes) == (None, None, None)
    assert not is_nearly_full(tmp_path / "gone")


def test_a_small_disk_is_nearly_full_once_a_fiftieth_of_it_is_left(disk: Path) -> None:
    (disk / "frames").write_bytes(bytes(15 << 20))
    assert not is_nearly_full(disk)
    (disk / "more").write_bytes(bytes(800 << 10))
    assert is_nearly_full(disk)


def test_this_machine_tells_the_memory_of_this_program() -> None:
    memory_bytes = board_state(Path("/")).memory_bytes
    assert memory_bytes is not None and 1 << 20 < memory_bytes < 1 << 36
