"""The file: what is found at opening, and what is not read then."""

import contextlib
from pathlib import Path

import pytest

from sensor_client.spool import Spool, SpoolError, SpoolLimits
from sensor_client.spool.database import CHECKED_MAX_BYTES

PAGE_BYTES = 4096


def left_open(folder: Path, frames: int, frame_bytes: int) -> Path:
    """A spool as a power cut leaves it, with one page of frames damaged."""
    there, left = folder / "there", folder / "left"
    for each in (there, left):
        each.mkdir()
    path = there / "spool.sqlite3"
    with contextlib.closing(Spool(path, SpoolLimits())) as spool:
        with spool._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO frames (captured_at_ms, body) VALUES (0, ?)", [(bytes(frame_bytes),)] * frames
            )
            last = connection.execute("PRAGMA page_count").fetchone()[0] - 1
        with spool._database.reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for file in there.iterdir():
            (left / file.name).write_bytes(file.read_bytes())
    with (left / path.name).open("r+b") as damaged:
        damaged.seek(last * PAGE_BYTES)
        damaged.write(b"\xff" * PAGE_BYTES)
    return left / path.name


def test_a_file_that_was_left_open_is_looked_through_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="spool"):
        Spool(left_open(tmp_path, 40, 500), SpoolLimits())


def test_a_large_one_is_not_so_that_the_start_is_quick(tmp_path: Path) -> None:
    path = left_open(tmp_path, 20_000, 500)
    assert path.stat().st_size > CHECKED_MAX_BYTES
    with contextlib.closing(Spool(path, SpoolLimits())) as spool:
        assert len(spool.oldest(3)) == 3
