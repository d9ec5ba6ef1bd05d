"""A damaged spool is set aside, what can be read of it goes on, and no number is given twice."""

import contextlib
import functools
import os
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from sensor_client.spool import DropReason, Priority, Probe, Spool, SpoolError, SpoolLimits
from sensor_client.spool.database import SpoolDamagedError
from sensor_client.spool.mending import _settle, mend, set_aside_files
from sensor_client.spool.numbers import FAR_SEQUENCE
from tests.attacks import damages
from tests.sensor_client.failing_disk import FailingDisk

PAGE_BYTES = 4096
FRAMES = 60


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.sqlite3"


def opened(path: Path, **limits: int) -> "contextlib.closing[Spool]":
    """The spool, as `run` opens it."""
    return contextlib.closing(Spool(path, SpoolLimits(**limits), random=lambda: 0.5))


def body_of(number: int) -> bytes:
    """A frame's body; every fifth is longer than a page."""
    return Random(number).randbytes(6000 if number % 5 == 0 else 300)


@functools.cache
def filled() -> bytes:
    """The file of a spool: ten frames were acknowledged, one is a dead letter, a label waits; the rest waits."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spool.sqlite3"
        write(path)
        return path.read_bytes()


def fill(path: Path) -> None:
    """Put that file there."""
    path.write_bytes(filled())
    path.chmod(0o600)


def write(path: Path) -> None:
    """Make it."""
    with opened(path) as spool:
        spool.keep_tables("t", b"tables")
        for number in range(1, FRAMES + 1):
            spool.append(
                body_of(number), number, tables_id="t", label=f"L{number}", priority=Priority(number % len(Priority))
            )
        spool.acknowledge(range(1, 11))
        spool.settle_labels(range(2, 11), [])
        spool.refuse(11, status=422, code="corrupt-jpeg", detail="why")


def waiting(spool: Spool) -> dict[int, bytes]:
    """All frames that wait, by number."""
    found: dict[int, bytes] = {}
    while frames := spool.oldest(999, but=found):
        found |= {frame.sequence: frame.body for frame in frames}
    return found


def work(path: Path) -> dict[int, bytes]:
    """Open a spool and use it as a sensor does, again after each error; what waited, once it worked."""
    for _ in range(8):
        with contextlib.suppress(SpoolError), opened(path) as spool:
            spool.keep_tables("t", b"tables")
            found = waiting(spool)
            spool.companions(9)
            number = spool.append(b"new", 0, tables_id="t", label="new")
            assert number not in found
            spool.refuse(number, status=422, code="corrupt-jpeg", detail="why")
            spool.acknowledge([*found, number])
            spool.dead_letters()
            spool.pending_labels(99)
            require_balance(spool)
            return found
    raise AssertionError("a spool of which each mending leaves damage")


def require_balance(spool: Spool) -> None:
    """Nothing is lost in silence."""
    counters, depth = spool.counters(), spool.depth()
    assert counters.captured == counters.encoded + counters.unreadable
    assert counters.encoded == counters.acknowledged + counters.refused + counters.dropped + depth.frames


def damaged_header(path: Path) -> None:
    """The first hundred bytes, which say that it is a database."""
    with path.open("r+b") as file:
        file.write(Random(1).randbytes(100))


def damaged_first_page(path: Path) -> None:
    """The page that says which table begins where."""
    with path.open("r+b") as file:
        file.write(Random(1).randbytes(PAGE_BYTES))


@pytest.mark.parametrize("damage", [damaged_header, damaged_first_page])
def test_without_its_first_page_every_frame_is_still_there(path: Path, damage: Callable[[Path], None]) -> None:
    fill(path)
    damage(path)
    with opened(path) as spool:
        assert waiting(spool) == {number: body_of(number) for number in range(12, FRAMES + 1)}
        assert {frame.priority for frame in spool.oldest(99)} == {Priority.REQUESTED}
        assert spool.append(b"new", 0) == FRAMES + 1
        counters = spool.counters()
        assert (counters.acknowledged, counters.refused, counters.dropped, counters.rescues) == (10, 1, 0, 1)
        assert [letter.sequence for letter in spool.dead_letters()] == [11]
        assert [label.sequence for label in spool.pending_labels(9)] == [1]
        assert spool.tables_stream("t") == b"tables"
        require_balance(spool)


def test_half_of_the_file_is_gone_and_what_is_left_goes_on(path: Path) -> None:
    fill(path)
    os.truncate(path, path.stat().st_size // 2)
    with opened(path) as spool:
        left = waiting(spool)
        assert 10 < len(left) < FRAMES
        assert all(body == body_of(number) for number, body in left.items())
        assert spool.counters().dropped == FRAMES - 11 - len(left)
        assert spool.append(b"new", 0) == FRAMES + 1
        require_balance(spool)


@pytest.mark.parametrize("seed", range(100))
def test_random_pages_are_damaged_and_the_spool_goes_on(path: Path, seed: int) -> None:
    """Whole pages, or some bytes of them: most frames are still there or the damaged file is, and nothing hangs."""
    fill(path)
    chance = Random(seed)
    pages = path.stat().st_size // PAGE_BYTES
    with path.open("r+b") as file:
        for _ in range(chance.choice((1, 2, 5))):
            page, count = chance.randrange(pages), chance.choice((1, 16, 512, PAGE_BYTES))
            file.seek(page * PAGE_BYTES + chance.randrange(PAGE_BYTES - count + 1))
            file.write(chance.choice((bytes(count), chance.randbytes(count))))
    found = work(path)
    known = [number for number in found if 0 < number <= FRAMES]
    assert all(found[number] == body_of(number) for number in known), "as it was stored, or not at all"
    assert len(known) > FRAMES / 3 or len(set_aside_files(path)) > 0
    with opened(path) as spool:
        assert spool.append(b"after", 0) > max(known, default=0)


@pytest.mark.parametrize("damage", damages.DAMAGES)
def test_whatever_stands_in_its_place_a_spool_is_made_and_counts_where_the_device_never_was(
    path: Path, damage: Callable[[Path], None]
) -> None:
    fill(path)
    damage(path)
    first = FAR_SEQUENCE
    with contextlib.closing(Spool(path, SpoolLimits(), first, random=lambda: 0.5)) as spool:
        number = spool.append(b"new", 0)
        found = waiting(spool)
        assert found.pop(number) == b"new"
        assert all(body == body_of(each) for each, body in found.items())
        assert number == FRAMES + 1 if found else number >= FAR_SEQUENCE
        require_balance(spool)


@pytest.mark.parametrize("damage", damages.DAMAGES)
@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_what_lies_beside_it_is_damaged_and_the_spool_goes_on(
    path: Path, suffix: str, damage: Callable[[Path], None], tmp_path: Path
) -> None:
    fill(path)
    with opened(path) as spool:
        for number in range(1, 12):
            spool.append(body_of(FRAMES + number), 0)
        left = tmp_path / "left"
        left.mkdir()
        for file in path.parent.glob("spool.*"):  # as a power cut leaves it
            (left / file.name).write_bytes(file.read_bytes())
    path = left / path.name
    damage(path.with_name(path.name + suffix))
    found = work(path)
    assert all(body == body_of(number) for number, body in found.items())
    if suffix == "-shm":
        assert len(found) == FRAMES, "the eleven in the log, too"


def test_damage_that_is_met_at_work_is_told_once_and_mended_for_who_comes_next(path: Path) -> None:
    fill(path)
    with opened(path) as spool:
        frames = spool.oldest(1)
        with path.open("r+b") as file:
            file.seek(PAGE_BYTES)
            file.write(bytes(path.stat().st_size - PAGE_BYTES))
        spool._database._require_open().execute("PRAGMA shrink_memory")
        with pytest.raises(SpoolError, match="malformed"):
            for _ in range(99):
                spool.acknowledge([frame.sequence for frame in spool.oldest(8)] or [1])
                spool.append(b"x", 0)
        assert spool.append(b"new", 0, tables_id=None) > frames[0].sequence
        require_balance(spool)


def test_tables_of_frames_to_come_survive_a_mending_at_work(path: Path) -> None:
    with opened(path) as spool:
        spool.keep_tables("t", b"tables")
        spool._database._damage = _why(path)
        path.write_bytes(b"")
        spool.append(b"x", 0, tables_id="t")
        assert spool.tables_stream("t") == b"tables"


def _why(path: Path) -> SpoolDamagedError:
    return SpoolDamagedError(f"{path}: because")


def test_three_damaged_files_are_kept_within_the_quota(path: Path) -> None:
    for _ in range(5):
        fill(path)
        damaged_header(path)
        with opened(path) as spool:
            spool.acknowledge(waiting(spool))
    assert [file.name for file in set_aside_files(path)] == [f"spool-damaged-{n}.sqlite3" for n in (3, 4, 5)]
    damaged_header(path)
    with opened(path, frame_bytes=path.stat().st_size + 1):
        pass
    assert [file.name for file in set_aside_files(path)] == ["spool-damaged-6.sqlite3"]
    damaged_header(path)
    with opened(path, frame_bytes=1000):
        pass
    assert set_aside_files(path) == []


def test_a_mending_that_was_cut_off_is_ended_or_done_anew(path: Path) -> None:
    """The power goes at each call that changes a file."""
    at, lost = 0, True
    while lost:
        for file in path.parent.iterdir():
            file.unlink()
        fill(path)
        damaged_header(path)
        with FailingDisk(at, PowerCut) as disk, contextlib.suppress(PowerCut):
            mend(path, SpoolLimits(), FAR_SEQUENCE, {}, _why(path))
        lost, at = disk.calls > at, at + 1
        with opened(path) as spool:
            assert waiting(spool) == {number: body_of(number) for number in range(12, FRAMES + 1)}
        assert not path.with_name(f"{path.name}-new").exists()
    assert at > 3


class PowerCut(BaseException):
    """The power goes."""


def test_damage_is_only_told_to_who_does_not_have_the_directory_for_himself(path: Path) -> None:
    fill(path)
    damaged_header(path)
    before = path.read_bytes()
    with pytest.raises(SpoolError, match="not a database"):
        Spool(path, SpoolLimits())
    assert path.read_bytes() == before and set_aside_files(path) == []


def test_probes_that_are_lost_are_counted_as_dropped(path: Path) -> None:
    with opened(path) as spool:
        for _ in range(40):
            spool.append(bytes(2000), 0, probe=Probe(body=bytes(2000), target="digits/1.json", tables=None))
    os.truncate(path, path.stat().st_size // 2)
    with opened(path) as spool:
        counters, depth = spool.counters(), spool.depth()
        assert 0 < depth.probes < 40
        assert counters.probes_encoded == 40 == counters.probes_dropped + depth.probes


def test_a_new_spool_is_for_its_owner_only(path: Path) -> None:
    fill(path)
    damaged_header(path)
    with opened(path) as spool:
        spool.append(b"x", 0)
        assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


def test_a_spool_that_says_it_is_of_a_later_version_is_left_alone(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as later:
        later.execute("PRAGMA user_version = 2")
    with pytest.raises(SpoolError, match="version 2"):
        Spool(path, SpoolLimits(), random=lambda: 0.5)
    assert set_aside_files(path) == []


def test_a_body_that_rots_is_not_given_out_and_all_others_are(path: Path) -> None:
    fill(path)
    data = path.read_bytes()
    at = data.index(body_of(30)[100:200])
    path.write_bytes(data[:at] + b"rotten" + data[at + 6 :])
    with opened(path) as spool:
        with pytest.raises(SpoolError, match="30 of the spool is not as it was stored"):
            waiting(spool)
        assert waiting(spool) == {number: body_of(number) for number in range(12, FRAMES + 1) if number != 30}
        assert spool.drops() == {(DropReason.DAMAGE, Priority.ORDINARY): 1}
        require_balance(spool)


def test_a_frame_of_which_the_tables_are_lost_is_kept_without_them(path: Path) -> None:
    with contextlib.closing(Spool(path, SpoolLimits())) as spool:
        spool.keep_tables("t", b"tables")
        spool.append(b"one", 7, tables_id="t")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM tables")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.write(b"\xff" * 100)
    with contextlib.closing(Spool(path, SpoolLimits(), random=lambda: 0.5)) as spool:
        [frame] = spool.oldest(9)
        assert (frame.sequence, frame.body, frame.tables_id) == (1, b"one", None)
        assert spool.counters().rescues == 1


def test_where_more_has_gone_than_is_known_to_have_come_it_has_come() -> None:
    counts = {"encoded": 2, "acknowledged": 4, "waiting": 1}
    assert _settle(counts, ("encoded", "retried"), ("acknowledged", "dropped", "waiting"), "dropped") == 0
    assert counts == {"encoded": 5, "acknowledged": 4, "waiting": 1}
