"""Which files were taken, across restarts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sensor_client.sources.taken import ENTRY_BYTES, SPARE_ENTRIES, FileKey, TakenFiles, path_hash


def key(number: int, stamp: int = 1) -> FileKey:
    return FileKey(path_hash(f"{number}.jpg"), stamp)


def test_what_was_taken_is_known_after_a_restart_until_it_is_written_anew(tmp_path: Path) -> None:
    TakenFiles(tmp_path / "memory" / "taken").add(key(1))
    again = TakenFiles(tmp_path / "memory" / "taken")

    assert again.has(key(1)) and again.knows_path(key(1).path)
    assert not again.has(key(1, stamp=2)) and not again.has(key(2))


def test_a_file_written_anew_has_another_key(tmp_path: Path) -> None:
    path = tmp_path / "latest.jpg"
    path.write_bytes(b"one")
    before = FileKey.of("latest.jpg", path.stat())
    path.write_bytes(b"three")

    assert FileKey.of("latest.jpg", path.stat()) != before


@pytest.mark.parametrize("left", [b"", b"x", bytes(ENTRY_BYTES - 1)])
def test_a_record_with_a_torn_end_keeps_what_is_whole_and_goes_on(tmp_path: Path, left: bytes) -> None:
    file = tmp_path / "taken"
    record = TakenFiles(file)
    record.add(key(1))
    file.write_bytes(file.read_bytes() + left)
    record.add(key(2))
    file.write_bytes(file.read_bytes() + left)

    again = TakenFiles(file)

    assert again.has(key(1)) and again.has(key(2)) and len(again) == 2
    assert file.stat().st_size == 2 * ENTRY_BYTES and file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_taken_again_and_again_takes_a_bounded_record_and_one_entry_after_a_restart(
    tmp_path: Path,
) -> None:
    record = TakenFiles(tmp_path / "taken")
    for stamp in range(1500):
        record.add(key(1, stamp))

    assert (tmp_path / "taken").stat().st_size <= ENTRY_BYTES * (SPARE_ENTRIES + 2)
    assert TakenFiles(tmp_path / "taken").has(key(1, 1499))
    assert (tmp_path / "taken").stat().st_size == ENTRY_BYTES


def test_the_record_is_bounded_and_forgets_what_it_has_not_heard_of_for_longest(
    tmp_path: Path,
) -> None:
    record = TakenFiles(tmp_path / "taken", limit_files=10)
    for number in range(11):
        record.add(key(number))

    again = TakenFiles(tmp_path / "taken")

    assert [number for number in range(11) if again.has(key(number))] == [5, 6, 7, 8, 9, 10]


def test_what_a_disk_does_not_take_is_remembered_and_told_once(tmp_path: Path, lines: list[Mapping[str, Any]]) -> None:
    (tmp_path / "a file").write_bytes(b"")
    record = TakenFiles(tmp_path / "a file" / "memory" / "taken")
    record.add(key(1))
    record.add(key(2))

    assert record.has(key(1)) and record.has(key(2))
    assert [line["event"] for line in lines] == ["taken-files-not-written"]


def test_a_file_that_is_heard_of_again_is_forgotten_last(tmp_path: Path) -> None:
    record = TakenFiles(tmp_path / "taken", limit_files=10)
    for number in (*range(10), 0, 10):
        record.add(key(number))

    assert record.has(key(0)) and not record.has(key(1))
