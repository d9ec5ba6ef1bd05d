"""The names of kept files and whether anybody needs them; each function is part of a transaction.

    reserve -> (the file is written) -> claim, with the sample's row
    release, when samples are deleted -> doom -> (the file is deleted) -> forget

A file is named before it is written and until it is deleted, so whatever a crash leaves behind is found here, and
nobody ever lists the blobs. `sweep_at` is empty while a sample needs the file; otherwise it is when the file may go:
late enough for whoever reserved the name to finish. A doomed file is on its way out and can be neither reserved nor
claimed, so that no sample is ever shown whose file is going.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, exists, func, select, update

from cloud_server.storage.database import insert_or_ignore
from cloud_server.storage.schema import sample_files, samples

SWEEP_AFTER_SECONDS = 900.0
_INSERT = insert_or_ignore(sample_files)
_is_needed = exists().where(samples.c.sha256 == sample_files.c.sha256)


def reserve(connection: Connection, sha256: str, size: int, now: float) -> int | None:
    """Name a file that will be written within `SWEEP_AFTER_SECONDS`.

    Returns the bytes that it adds, 0 where it is there already; None while a file of this name is being deleted.
    """
    sweep_at = now + SWEEP_AFTER_SECONDS
    row = {"sha256": sha256, "bytes": size, "sweep_at": sweep_at, "is_doomed": False}
    if connection.execute(_INSERT, row).rowcount == 1:
        return size
    of_name = sample_files.c.sha256 == sha256
    waiting = of_name & sample_files.c.sweep_at.is_not(None) & ~sample_files.c.is_doomed
    connection.execute(update(sample_files).where(waiting).values(sweep_at=sweep_at))
    is_alive = connection.execute(select(exists().where(of_name, ~sample_files.c.is_doomed))).scalar_one()
    return 0 if is_alive else None


def claim(connection: Connection, sha256: str) -> bool:
    """Say that a sample needs the file from now on; False when it is gone or going."""
    alive = (sample_files.c.sha256 == sha256) & ~sample_files.c.is_doomed
    return connection.execute(update(sample_files).where(alive).values(sweep_at=None)).rowcount == 1


def release(connection: Connection, sha256s: Sequence[str], now: float) -> None:
    """Have those of the files deleted, in a while, that no sample needs any more."""
    unneeded = sample_files.c.sha256.in_(sha256s) & ~sample_files.c.is_doomed & ~_is_needed
    connection.execute(update(sample_files).where(unneeded).values(sweep_at=now + SWEEP_AFTER_SECONDS))


def sweepable(connection: Connection, now: float, limit: int) -> Sequence[str]:
    """Files that may be deleted now, those that an interrupted sweep has doomed already among them."""
    due = select(sample_files.c.sha256).where(sample_files.c.sweep_at < now)
    return connection.execute(due.order_by(sample_files.c.sweep_at).limit(limit)).scalars().all()


def doom(connection: Connection, sha256s: Sequence[str], now: float) -> Sequence[str]:
    """Doom files; returns those that are doomed now, for a new sample may need one of them again."""
    named = sample_files.c.sha256.in_(sha256s)
    # Under READ COMMITTED a release may miss the row of a sample that is just being stored; here it is seen.
    connection.execute(update(sample_files).where(named, ~sample_files.c.is_doomed, _is_needed).values(sweep_at=None))
    due = named & (sample_files.c.sweep_at < now) & ~_is_needed
    connection.execute(update(sample_files).where(due).values(is_doomed=True))
    going = select(sample_files.c.sha256).where(named, sample_files.c.is_doomed)
    return connection.execute(going).scalars().all()


def forget(connection: Connection, sha256s: Sequence[str]) -> None:
    """Drop the names of files that are deleted."""
    connection.execute(delete(sample_files).where(sample_files.c.sha256.in_(sha256s), sample_files.c.is_doomed))


def total_bytes(connection: Connection) -> int:
    """The size of all files together: those that samples need, are being written, or are being deleted."""
    return int(connection.execute(select(func.coalesce(func.sum(sample_files.c.bytes), 0))).scalar_one())
