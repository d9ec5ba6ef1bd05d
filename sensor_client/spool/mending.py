"""A damaged spool is set aside, and what can be read of it is moved into a new one, under the same numbers.

Its steps may end at any moment: the new file is whole before the damaged one gets another name, and takes its place
after that. What was begun is done anew or ended at the next start.
"""

import contextlib
import errno
import os
import re
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sensor_client.logs import get_logger
from sensor_client.spool.counting import counts_of
from sensor_client.spool.database import NO_ROOM, Connection, SpoolDamagedError, SpoolError, SpoolFullError, connect
from sensor_client.spool.records import DropReason, Priority, SpoolLimits
from sensor_client.spool.salvage import (
    COUNTERS,
    DEAD_LETTERS,
    FRAMES,
    LABELS,
    ORIGINS,
    TABLES,
    Row,
    highest_number,
    named_rows,
    numbered_rows,
    reading_damaged,
)
from sensor_client.spool.schema import make_schema
from sensor_client.spool.waiting import drop_counter
from shared import durable

SET_ASIDE_MAX = 3
"""So many damaged files are kept, to be looked at; together they are no larger than the quota of the spool."""
ROWS_AT_ONCE = 16
"""So few, that on a full disk as much is moved as fits."""

_log = get_logger(__name__)


@dataclass(frozen=True)
class Moved:
    """What became of the frames of a damaged spool."""

    frames: int
    lost: int
    is_all_that_was_readable: bool


def end_what_was_begun(path: Path) -> None:
    """Put a new file in its place where that was all that was left to do; drop one that is not whole.

    Raises:
        SpoolError: the disk is full, read-only or broken.
    """
    new = _new(path)
    with _translated(path):
        if path.exists() or path.is_symlink():
            new.unlink(missing_ok=True)
        elif new.exists():
            _take_its_place(new, path)


def mend(
    path: Path, limits: SpoolLimits, first_sequence: int, tables: Mapping[str, bytes], why: SpoolDamagedError
) -> None:
    """Set aside what stands at `path`, and put a spool there with all that could be read of it.

    Args:
        first_sequence: the next frame's number, where it cannot be read how far the device had counted.
        tables: those of frames to come, by id.

    Raises:
        SpoolError: the disk is full, read-only or broken: what stands at `path` stays.
    """
    with _translated(path):
        moved = _move(path, first_sequence, tables)
        if not moved.is_all_that_was_readable:  # what was set aside before takes the room
            _prune(path, keep=0, keep_bytes=0)
            moved = _move(path, first_sequence, tables)
        aside = _set_aside(path)
        _take_its_place(_new(path), path)
        if moved.is_all_that_was_readable:
            _prune(path, SET_ASIDE_MAX, limits.frame_bytes)
        else:
            _prune(path, keep=0, keep_bytes=0)
    name = aside.name if aside.exists() or aside.is_symlink() else "removed: there is no room for it"
    _log.error("spool-damaged", reason=str(why), moved=moved.frames, lost=moved.lost, set_aside=name)


def set_aside_files(path: Path) -> list[Path]:
    """The damaged files that are kept, oldest first."""
    named = re.compile(rf"{re.escape(path.stem)}-damaged-(\d{{1,9}}){re.escape(path.suffix)}")
    found = [(int(name[1]), file) for file in path.parent.iterdir() if (name := named.fullmatch(file.name))]
    return [file for _, file in sorted(found)]


def _move(path: Path, first_sequence: int, tables: Mapping[str, bytes]) -> Moved:
    """Make the new file, whole and on disk."""
    new = _new(path)
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    is_all, given = True, None
    with contextlib.closing(connect(new)) as connection:
        connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("PRAGMA synchronous = OFF")  # it counts for nothing before it is whole, and synced then
        make_schema(connection)
        connection.executemany("INSERT INTO tables VALUES (?, ?)", tables.items())
        if path.is_file():
            with reading_damaged(path) as damaged:
                if damaged is not None:
                    given = highest_number(damaged)
                    is_all = _copy(damaged, connection)
        _count_on(connection, first_sequence - 1 if given is None else given)
        moved = _balance(connection, is_all)
    descriptor = os.open(new, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return moved


def _copy(damaged: Connection, new: Connection) -> bool:
    """Copy what can be read; false where there was no room for all of it."""
    with contextlib.suppress(_NoRoomError):
        _insert(new, "counters", list(COUNTERS), named_rows(damaged, "counters", COUNTERS))
        _insert(new, "tables", list(TABLES), named_rows(damaged, "tables", TABLES))
        known = {row[0] for row in new.execute("SELECT tables_id FROM tables")}
        _insert(new, "labels", list(LABELS), numbered_rows(damaged, "labels", LABELS))
        frames = (
            row if row["tables_id"] in known else row | {"tables_id": None}
            for row in numbered_rows(damaged, "frames", FRAMES)
        )
        _insert(new, "frames", list(FRAMES), frames)
        _insert(new, "dead_letters", list(DEAD_LETTERS), numbered_rows(damaged, "dead_letters", DEAD_LETTERS))
        _insert(new, "origins", list(ORIGINS), numbered_rows(damaged, "origins", ORIGINS))
        return True
    return False


class _NoRoomError(Exception):
    """The new file has no room for more."""


def _insert(new: Connection, table: str, names: list[str], rows: Iterable[Row]) -> None:
    places = ", ".join("?" * len(names))
    statement = f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({places})"  # noqa: S608 - names of ours
    left = iter(rows)
    while some := list(islice(left, ROWS_AT_ONCE)):
        try:
            new.execute("BEGIN")
            new.executemany(statement, [[row[name] for name in names] for row in some])
            new.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if new.in_transaction:
                new.execute("ROLLBACK")
            if error.sqlite_errorcode in NO_ROOM:
                raise _NoRoomError from error
            raise


def _count_on(connection: Connection, given: int) -> None:
    """Give the next frame a number above all that are known to be given."""
    known = [given]
    for table in ("frames", "dead_letters", "labels"):
        known += [row[0] or 0 for row in connection.execute(f"SELECT max(sequence) FROM {table}")]  # noqa: S608
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'frames'")
    connection.execute("INSERT INTO sqlite_sequence VALUES ('frames', ?)", (max(known),))


def _balance(connection: Connection, is_all: bool) -> Moved:
    """Let the counters agree with what is here: frames that are not, and of which no fate was counted, are lost."""
    counts = {name: value for name, value in counts_of(connection).items() if value >= 0}
    waits = "SELECT count(*), coalesce(sum(length(body)), 0) FROM frames WHERE companion_of IS"
    counts["waiting"], counts["waiting_bytes"] = connection.execute(f"{waits} NULL").fetchone()
    counts["waiting_probes"], counts["waiting_probe_bytes"] = connection.execute(f"{waits} NOT NULL").fetchone()
    lost = _settle(counts, ("encoded", "retried"), ("acknowledged", "refused", "dropped", "waiting"), "dropped")
    damage = drop_counter(DropReason.DAMAGE, Priority.ORDINARY)  # what it was nobody can tell
    counts[damage] = counts.get(damage, 0) + lost
    _settle(counts, ("probes_encoded",), ("probes_sent", "probes_dropped", "waiting_probes"), "probes_dropped")
    counts["captured"] = sum(counts.get(name, 0) for name in ("encoded", "unreadable", "unchanged"))
    counts["rescues"] = counts.get("rescues", 0) + 1
    connection.execute("BEGIN")
    connection.execute("DELETE FROM counters")
    connection.executemany("INSERT INTO counters VALUES (?, ?)", counts.items())
    connection.execute("COMMIT")
    return Moved(counts["waiting"], lost, is_all)


def _settle(counts: dict[str, int], came: tuple[str, ...], went: tuple[str, ...], lost: str) -> int:
    """Let as many have come as have gone, or wait: count those that are missing as `lost`, and return them."""
    missing = sum(counts.get(name, 0) for name in came) - sum(counts.get(name, 0) for name in went)
    counter = lost if missing > 0 else came[0]
    counts[counter] = counts.get(counter, 0) + abs(missing)
    return max(0, missing)


def _set_aside(path: Path) -> Path:
    there = set_aside_files(path)
    number = int(there[-1].stem.rpartition("-")[2]) + 1 if there else 1
    aside = path.with_name(f"{path.stem}-damaged-{number}{path.suffix}")
    path.rename(aside)
    log = _beside(path, "-wal")
    if log.exists():
        log.replace(_beside(aside, "-wal"))
    return aside


def _take_its_place(new: Path, path: Path) -> None:
    for beside in (_beside(path, "-wal"), _beside(path, "-shm")):  # they are the damaged file's
        _remove(beside)
    new.rename(path)
    durable.sync_directory(path.parent)


def _prune(path: Path, keep: int, keep_bytes: int) -> None:
    """Remove damaged files, so that the newest `keep` are left at most, and no more bytes than `keep_bytes`."""
    left_bytes = keep_bytes
    for index, file in enumerate(reversed(set_aside_files(path))):
        left_bytes -= sum(each.stat().st_size for each in (file, _beside(file, "-wal")) if each.is_file())
        if index >= keep or left_bytes < 0:
            for each in (file, _beside(file, "-wal"), _beside(file, "-shm")):
                _remove(each)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _new(path: Path) -> Path:
    return path.with_name(f"{path.name}-new")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise (SpoolFullError if is_full else SpoolError)(f"{path}: {error}") from error
    except sqlite3.Error as error:
        is_full = getattr(error, "sqlite_errorcode", None) in NO_ROOM
        raise (SpoolFullError if is_full else SpoolError)(f"{_new(path)}: {error}") from error
