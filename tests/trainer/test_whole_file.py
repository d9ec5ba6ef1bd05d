"""What is written is on the disk before it has its name, and its name before the writer goes on."""

import os
from pathlib import Path
from typing import IO

import pytest

from trainer.whole_file import append_line, write_whole


class Disk:
    """Notes what is synced, and what a file then shows to others."""

    def __init__(self, watched: Path) -> None:
        self._watched = watched
        self.synced: list[tuple[str, str | None]] = []

    def sync(self, handle: int) -> None:
        shown = self._watched.read_text() if self._watched.exists() else None
        self.synced.append((Path(f"/proc/self/fd/{handle}").readlink().name, shown))
        os.fsync(handle)


def test_a_file_is_synced_then_renamed_then_its_folder_is_synced(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text("old")
    disk = Disk(path)
    write_whole(path, lambda file: file.write(b"new"), disk.sync)
    assert disk.synced == [("state.tmp", "old"), (tmp_path.name, "new")]


def test_what_is_synced_is_all_that_was_written(tmp_path: Path) -> None:
    sizes: list[int] = []

    def sync(handle: int) -> None:
        sizes.append(os.fstat(handle).st_size)

    write_whole(tmp_path / "state", lambda file: file.write(b"12345"), sync)
    append_line(tmp_path / "lines", "12", sync)
    assert (sizes[0], sizes[2]) == (5, 3)


def test_a_line_is_synced_and_the_first_one_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    disk = Disk(path)
    for line in ("one", "two"):
        append_line(path, line, disk.sync)
    assert disk.synced == [("lines", "one\n"), (tmp_path.name, "one\n"), ("lines", "one\ntwo\n")]


def test_a_file_that_could_not_be_filled_leaves_the_old_one_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text("old")

    def fail(file: IO[bytes]) -> None:
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(path, fail)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]
