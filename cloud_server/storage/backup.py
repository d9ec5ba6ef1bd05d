"""A server's data folder, copied beside the running server, and laid out again from the copy.

A backup is a folder like the data folder: the database of one moment, the blobs and frames that it names, and with
them the online keys where that was asked for. Its list, `backup.json`, is written last: without it a backup is not one.
"""

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from cloud_server.storage.blobs import digest_of
from cloud_server.storage.engine import FILE
from shared.errors import DctwireError

LIST = "backup.json"
NOTE = "last-backup.json"
FOLDERS = ("blobs", "frames")
KEYS = "keys"
_FORMAT = 1
_CHUNK_BYTES = 1 << 20


class BackupError(DctwireError):
    """This cannot be backed up, or is no whole backup."""


class Backup(BaseModel):
    """What a backup holds.

    Args:
        made_at: seconds since 1970.
        database_sha256: None of a server whose database is PostgreSQL, which has means of its own.
        blobs: how many files each folder has, whose names are their digests; None where they are in a bucket.
        keys: the SHA-256 of each file of the online keys; None where they were not asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = _FORMAT
    made_at: float
    database_sha256: str | None
    blobs: dict[str, int] | None
    keys: dict[str, str] | None


def back_up(data: Path, out: Path, made_at: float, *, keys: Path | None, has_database: bool, has_blobs: bool) -> Backup:
    """Copy a data folder to a new folder; a server may work in it meanwhile.

    Args:
        made_at: seconds since 1970.
        keys: the folder of online keys, to be copied too; None: they are not.
        has_database: whether the database is a file there.
        has_blobs: whether blobs and frames are there.

    Raises:
        BackupError: `out` is not empty, or a blob is damaged.
        OSError: something cannot be read or written.
    """
    _require_empty(out)
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    if has_database:
        _copy_database(data / FILE, out / FILE)
    backup = Backup(
        made_at=made_at,
        database_sha256=digest_of(out / FILE) if has_database else None,
        blobs=_copy_all_blobs(data, out) if has_blobs else None,
        keys=None if keys is None else _copy_keys(keys, out / KEYS),
    )
    os.sync()  # all of it is on the disk before the list says so
    partial = out / f"{LIST}.partial"
    partial.write_text(f"{backup.model_dump_json(indent=1)}\n")
    partial.replace(out / LIST)
    os.sync()
    return backup


def note_backup(data: Path, backup: Backup) -> None:
    """Note in a data folder that it was backed up, for the server's metrics.

    Raises:
        OSError: it cannot be written.
    """
    partial = data / f"{NOTE}.partial"
    partial.write_text(f"{json.dumps({'made_at': backup.made_at})}\n")
    partial.replace(data / NOTE)


def last_backup_at(data: Path) -> float | None:
    """When a data folder was last backed up, in seconds since 1970; None: never, or nobody can tell."""
    try:
        noted = json.loads((data / NOTE).read_bytes())
        return float(noted["made_at"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def restore(backup_folder: Path, data: Path) -> Backup:
    """Lay out a data folder from a backup; it is whole, or it is not there.

    Raises:
        BackupError: `data` is not empty, or the backup is not whole.
        OSError: something cannot be read or written.
    """
    _require_empty(data)
    backup = _read_list(backup_folder)
    data.parent.mkdir(parents=True, exist_ok=True)
    partial = data.with_name(f"{data.name}.restoring")
    if partial.exists():
        shutil.rmtree(partial)  # of a restore that was killed
    partial.mkdir(mode=0o700)
    try:
        _lay_out(backup, backup_folder, partial)
        os.sync()
        partial.replace(data)
    except (BackupError, OSError):
        shutil.rmtree(partial, ignore_errors=True)
        raise
    os.sync()
    return backup


def _lay_out(backup: Backup, source: Path, data: Path) -> None:
    for name, count in (backup.blobs or {}).items():
        copied = _copy_blobs(source / name, data / name)
        if copied != count:
            raise BackupError(f"{source / name} has {copied} files, {count} were backed up")
    if backup.keys is not None:
        (data / KEYS).mkdir(mode=0o700)
        for name, sha256 in backup.keys.items():
            _copy(source / KEYS / Path(name).name, data / KEYS / Path(name).name, sha256)
    if backup.database_sha256 is not None:
        _copy(source / FILE, data / FILE, backup.database_sha256)
        _void_claims(data / FILE)


def _void_claims(database: Path) -> None:
    """Delete the claim codes that were unused: they may have been used since, and be known to others by now."""
    try:
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("DELETE FROM claims WHERE used_at IS NULL")
    except sqlite3.Error as error:
        raise BackupError(f"{database} is no database of a server: {error}") from error


def _copy_database(source: Path, out: Path) -> None:
    """The database of one moment, by SQLite's own online backup: one read transaction, which holds up no writer."""
    if not source.is_file():
        raise BackupError(f"there is no {source}: no server has been started on this folder")
    try:
        with closing(_reading(source)) as theirs, closing(sqlite3.connect(out)) as ours:
            theirs.backup(ours)
            ours.execute("PRAGMA journal_mode=DELETE")  # one file, with nothing beside it
            faults = [row[0] for row in ours.execute("PRAGMA integrity_check(1)")]
    except sqlite3.Error as error:
        raise BackupError(f"{source} cannot be copied: {error}") from error
    out.chmod(0o600)
    if faults != ["ok"]:
        raise BackupError(f"{source} is damaged: {faults[0]}")


def _copy_all_blobs(data: Path, out: Path) -> dict[str, int]:
    """Copy blobs, and of the frames those that the copied database names: others come and go meanwhile."""
    named = _frames_of(out / FILE) if (out / FILE).exists() else None
    wanted = {"blobs": None, "frames": named}
    return {name: _copy_blobs(data / name, out / name, names) for name, names in wanted.items()}


def _frames_of(database: Path) -> list[str]:
    with closing(_reading(database)) as connection:
        return [row[0] for row in connection.execute("SELECT sha256 FROM sample_files")]


def _reading(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)


def _copy_blobs(source: Path, out: Path, names: Iterable[str] | None = None) -> int:
    """Copy blobs, all or these; returns how many. One that is gone by now was deleted meanwhile."""
    if names is None:
        names = (path.name for path in sorted(source.glob("??/*")))
    out.mkdir(mode=0o700)
    copied = 0
    for sha256 in names:
        (out / sha256[:2]).mkdir(exist_ok=True)
        try:
            _copy(source / sha256[:2] / sha256, out / sha256[:2] / sha256, sha256)
        except FileNotFoundError:
            continue
        copied += 1
    return copied


def _copy_keys(keys: Path, out: Path) -> dict[str, str]:
    out.mkdir(mode=0o700)
    digests = {path.name: digest_of(path) for path in sorted(keys.iterdir()) if path.is_file()}
    for name, sha256 in digests.items():
        _copy(keys / name, out / name, sha256)
    return digests


def _copy(source: Path, out: Path, sha256: str) -> None:
    """Copy a file, readable by its owner alone.

    Raises:
        BackupError: it is not what its digest says.
        OSError: it is not there, or cannot be read or written.
    """
    digest = hashlib.sha256()
    with source.open("rb") as reading, open(out, "xb", opener=_for_owner) as writing:
        while chunk := reading.read(_CHUNK_BYTES):
            digest.update(chunk)
            writing.write(chunk)
    if digest.hexdigest() != sha256:
        raise BackupError(f"{source} is damaged: its SHA-256 is {digest.hexdigest()}, not {sha256}")


def _for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _require_empty(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise BackupError(f"{folder} is not empty; name a new folder")


def _read_list(folder: Path) -> Backup:
    try:
        backup = Backup.model_validate_json((folder / LIST).read_bytes())
    except FileNotFoundError as error:
        raise BackupError(f"{folder} is no whole backup: it has no {LIST}") from error
    except ValidationError as error:
        raise BackupError(f"{folder / LIST} is not a backup's list, or a newer program's") from error
    if backup.format != _FORMAT:
        raise BackupError(f"{folder} is a backup of a newer dctwire-server")
    return backup
