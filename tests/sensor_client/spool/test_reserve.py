"""A full disk: what the server has leaves the spool, and comes no further frame that needs the room for that."""

import contextlib
import errno
import os
from pathlib import Path

import pytest

from sensor_client.spool import Spool, SpoolFullError, SpoolLimits
from sensor_client.spool.database import RESERVE_BYTES
from sensor_client.spool.reserve import Reserve


def fill(disk: Path) -> None:
    """Something else takes all the room that is left, to the last byte."""
    with (disk / "filler").open("ab") as filler, contextlib.suppress(OSError):
        while True:
            os.write(filler.fileno(), bytes(4096))


def opened(disk: Path) -> "contextlib.closing[Spool]":
    """The spool, as `run` opens it."""
    return contextlib.closing(Spool(disk / "spool.sqlite3", SpoolLimits(), random=lambda: 0.5))


def test_on_a_full_disk_everything_is_acknowledged_and_then_there_is_room(disk: Path) -> None:
    with opened(disk) as spool:
        with pytest.raises(SpoolFullError):
            for _ in range(100_000):
                spool.append(bytes(3000), 0, label="A")
        fill(disk)
        waiting = spool.depth().frames
        assert waiting > 1000
        sent = 0
        while frames := spool.oldest(64):
            spool.acknowledge([frame.sequence for frame in frames])
            spool.settle_labels([frame.sequence for frame in frames], [])
            sent += len(frames)
        assert sent == waiting
        (disk / "filler").unlink()
        spool.append(b"x", 0)


def test_a_spool_is_opened_on_a_full_disk_and_drained(disk: Path) -> None:
    with opened(disk) as spool:
        for _ in range(50):
            spool.append(bytes(3000), 0)
    fill(disk)
    with opened(disk) as spool:
        with pytest.raises(SpoolFullError):
            for _ in range(2000):
                spool.append(bytes(3000), 0)
        while frames := spool.oldest(8):
            spool.acknowledge([frame.sequence for frame in frames])
        assert spool.counters().acknowledged >= 50


def test_a_refused_frame_leaves_it_too(disk: Path) -> None:
    with opened(disk) as spool:
        for _ in range(3):
            spool.append(bytes(3000), 0)
        fill(disk)
        spool.refuse(1, status=422, code="corrupt-jpeg", detail="why")
        assert spool.depth().frames == 2


def test_a_reserve_is_made_as_large_as_there_is_room_and_whole_again_later(disk: Path) -> None:
    reserve = Reserve(disk / "reserve", RESERVE_BYTES)
    assert reserve.make() and (disk / "reserve").stat().st_size == RESERVE_BYTES
    fill(disk)
    assert reserve.make()
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        (disk / "other").write_bytes(bytes(4096))
    reserve.give_up()
    (disk / "other").write_bytes(bytes(RESERVE_BYTES // 4))
    assert not reserve.make() and (disk / "reserve").stat().st_size == RESERVE_BYTES // 2
    (disk / "filler").unlink()
    assert reserve.make()


def test_a_damaged_spool_is_mended_on_a_disk_that_holds_no_second_one(disk: Path) -> None:
    """What fits is moved, the damaged file makes room, and what was lost is counted."""
    with opened(disk) as spool:
        with pytest.raises(SpoolFullError):
            for _ in range(100_000):
                spool.append(bytes(3000), 0)
        given = spool.next_sequence()
        spool.acknowledge(range(100))  # by way of the reserve, after which nothing is left in the log
        waiting = spool.depth().frames
    with (disk / "spool.sqlite3").open("r+b") as file:
        file.write(b"\xff" * 100)
    with opened(disk) as spool:
        left, lost = spool.depth().frames, spool.counters().dropped
        assert left > 100 and lost > 100 and left + lost == waiting
        assert spool.append(b"x", 0) >= given
    assert not list(disk.glob("spool-damaged*"))


@pytest.mark.parametrize("in_its_place", ["a folder", "a link"])
def test_what_stands_in_its_place_is_set_aside_and_pictures_are_taken(tmp_path: Path, in_its_place: str) -> None:
    precious = tmp_path / "precious"
    precious.write_text("somebody's own")
    reserve = tmp_path / "reserve"
    reserve.mkdir() if in_its_place == "a folder" else reserve.symlink_to(precious)

    assert Reserve(reserve, RESERVE_BYTES).make()

    assert reserve.stat().st_size == RESERVE_BYTES and not reserve.is_symlink()
    assert precious.read_text() == "somebody's own"


def test_giving_up_empties_nobody_elses_file(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("somebody's own")
    (tmp_path / "reserve").symlink_to(precious)

    Reserve(tmp_path / "reserve", RESERVE_BYTES).give_up()

    assert precious.read_text() == "somebody's own"
