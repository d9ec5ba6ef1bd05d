"""The spool: frames stay here, in order and under their number, until the server has answered for them."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import structlog

from sensor_client.spool.database import Connection, Database, NumbersExhaustedError
from sensor_client.spool.records import (
    Counters,
    DeadLetter,
    Depth,
    PendingLabel,
    SpooledFrame,
    SpoolLimits,
    UnreadablePicture,
)

DETAIL_LIMIT_CHARACTERS = 500
FAR_SEQUENCE = 2**40
RENUMBERED_ABOVE_MAX = 2**62
"""No number near the end of all numbers is gone on from: a server that says so is wrong, or wishes the device ill."""

_log = structlog.get_logger(__name__)


def first_sequence_of(has_run_before: bool, chance: float) -> int:
    """The first sequence number of a new spool. A device that has run before has lost its spool, and with it the count.

    If it began at 1 again, its new frames would be taken for old ones. The clock of a device that lost files may be
    wrong too, so `chance` (0 to 1) picks a number that no device reaches by counting.
    """
    return FAR_SEQUENCE + int(chance * FAR_SEQUENCE) if has_run_before else 1


class Spool:
    """A durable first-in, first-out store of frames with quotas. Safe for threads; one process at a time writes.

    Every method that changes something is one transaction, fsynced when it returns.

    Raises (all methods):
        SpoolError: the file cannot be used; nothing was changed.
    """

    def __init__(self, path: Path, limits: SpoolLimits, first_sequence: int = 1) -> None:
        self._database = Database(path, first_sequence)
        self._limits = limits
        self._dropped_since_start = 0

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def append(
        self, body: bytes, captured_at_ms: int, *, tables_id: str | None = None, label: str | None = None
    ) -> int:
        """Store a frame and return its sequence number; over quota, the oldest frames are dropped.

        Args:
            tables_id: of an abbreviated body; its tables must have been given to `keep_tables`.
        """
        with self._database.transaction() as connection:
            sequence = connection.execute(
                "INSERT INTO frames (captured_at_ms, tables_id, body, label) VALUES (?, ?, ?, ?)",
                (captured_at_ms, tables_id, body, label),
            ).lastrowid
            _count(connection, captured=1, encoded=1, encoded_bytes=len(body), waiting_bytes=len(body), waiting=1)
            dropped = self._drop_oldest(connection)
        for dropped_sequence in dropped:
            self._log_dropped(dropped_sequence)
        assert sequence is not None
        return sequence

    def set_aside(self, name: str, reason: str, at_ms: int) -> None:
        """Count a picture that could not be read, and remember its name."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO unreadable VALUES (?, ?, 1, ?) ON CONFLICT (name) DO UPDATE"
                " SET reason = excluded.reason, times = times + 1, last_at_ms = excluded.last_at_ms",
                (name, reason[:DETAIL_LIMIT_CHARACTERS], at_ms),
            )
            connection.execute(
                "DELETE FROM unreadable WHERE name NOT IN"
                " (SELECT name FROM unreadable ORDER BY last_at_ms DESC, name LIMIT ?)",
                (self._limits.unreadable,),
            )
            _count(connection, captured=1, unreadable=1)

    def keep_tables(self, tables_id: str, stream: bytes) -> None:
        """Store the tables of the frames to come, and delete those that no waiting frame needs."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO tables VALUES (?, ?)", (tables_id, stream))
            connection.execute(
                "DELETE FROM tables WHERE tables_id <> ? AND tables_id NOT IN"
                " (SELECT tables_id FROM frames WHERE tables_id IS NOT NULL)",
                (tables_id,),
            )

    def oldest(self, count: int, enough_bytes: int = 2**62) -> list[SpooledFrame]:
        """Up to `count` frames, oldest first; the last one brings their bodies to `enough_bytes`. They stay here."""
        frames, frame_bytes = [], 0
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT sequence, captured_at_ms, tables_id, body, label FROM frames ORDER BY sequence LIMIT ?",
                (count,),
            )
            for row in rows:
                frames.append(SpooledFrame(*row))
                frame_bytes += len(frames[-1].body)
                if frame_bytes >= enough_bytes:
                    break
        return frames

    def tables_stream(self, tables_id: str) -> bytes | None:
        """The tables-only stream that frames with this id were made with."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT stream FROM tables WHERE tables_id = ?", (tables_id,)).fetchone()
        return None if row is None else row[0]

    def acknowledge(self, sequences: Iterable[int]) -> None:
        """Delete frames that the server has; their labels become due."""
        keys = [(sequence,) for sequence in sequences]
        with self._database.transaction() as connection:
            for key in keys:
                connection.execute(
                    "INSERT INTO labels SELECT sequence, label FROM frames WHERE sequence = ? AND label IS NOT NULL",
                    key,
                )
                frame_bytes = _delete_frame(connection, *key)
                if frame_bytes is not None:
                    _count(connection, acknowledged=1, acknowledged_bytes=frame_bytes)

    def refuse(self, sequence: int, *, status: int, code: str, detail: str) -> None:
        """Make a frame that the server will never take a dead letter, with the reason."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO dead_letters SELECT sequence, captured_at_ms, ?, ?, ?, body"
                " FROM frames WHERE sequence = ?",
                (status, code, detail[:DETAIL_LIMIT_CHARACTERS], sequence),
            )
            if _delete_frame(connection, sequence) is not None:
                _count(connection, refused=1)
            connection.execute(
                "DELETE FROM dead_letters WHERE sequence NOT IN"
                " (SELECT sequence FROM dead_letters ORDER BY sequence DESC LIMIT ?)",
                (self._limits.dead_letters,),
            )

    def renumber(self, above: int) -> int:
        """Give every frame here, and every one to come, a number above `above` and above all that were given here.

        Their order stays, and the gaps between them. Returns how many frames are here.

        Raises:
            NumbersExhaustedError: there are no such numbers left to go on counting with; nothing was changed.
        """
        if above > RENUMBERED_ABOVE_MAX:
            raise NumbersExhaustedError(above)
        with self._database.transaction() as connection:
            given: int = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'frames'").fetchone()[0]
            base = max(above, given) + 1
            first: int | None = connection.execute("SELECT min(sequence) FROM frames").fetchone()[0]
            # All new numbers are above all old ones, so no frame meets another's number on the way.
            frames = connection.execute("UPDATE frames SET sequence = sequence + ?", (base - (first or 0),)).rowcount
            connection.execute(
                "UPDATE sqlite_sequence SET seq = max(?, (SELECT coalesce(max(sequence), 0) FROM frames))"
                " WHERE name = 'frames'",
                (base - 1,),
            )
            _count(connection, renumbered=frames)
        return frames

    def replace_body(self, sequence: int, body: bytes) -> None:
        """Replace a frame by the interchange stream `body`. The quota is not checked."""
        with self._database.transaction() as connection:
            row = connection.execute("SELECT length(body) FROM frames WHERE sequence = ?", (sequence,)).fetchone()
            if row is None:
                return
            connection.execute("UPDATE frames SET body = ?, tables_id = NULL WHERE sequence = ?", (body, sequence))
            _count(connection, waiting_bytes=len(body) - row[0])

    def pending_labels(self, count: int) -> list[PendingLabel]:
        """Labels of acknowledged frames that the server has not confirmed, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT * FROM labels ORDER BY sequence LIMIT ?", (count,)).fetchall()
        return [PendingLabel(*row) for row in rows]

    def settle_labels(self, sent: Iterable[int], refused: Iterable[int]) -> None:
        """Delete labels that the server has, and those that it will never take."""
        with self._database.transaction() as connection:
            for counter, sequences in (("labels_sent", sent), ("labels_refused", refused)):
                for sequence in sequences:
                    if connection.execute("DELETE FROM labels WHERE sequence = ?", (sequence,)).rowcount:
                        _count(connection, **{counter: 1})

    def depth(self) -> Depth:
        """What waits in the spool now."""
        with self._database.reading() as connection:
            counts = _counts(connection)
            labels = connection.execute("SELECT count(*) FROM labels").fetchone()[0]
            dead = connection.execute("SELECT count(*) FROM dead_letters").fetchone()[0]
        return Depth(
            frames=counts.get("waiting", 0),
            frame_bytes=counts.get("waiting_bytes", 0),
            labels=labels,
            dead_letters=dead,
        )

    def counters(self) -> Counters:
        """What happened since the state directory was made."""
        with self._database.reading() as connection:
            counts = _counts(connection)
        return Counters(**{field.name: counts.get(field.name, 0) for field in dataclasses.fields(Counters)})

    def dead_letters(self) -> list[DeadLetter]:
        """The refused frames that are kept, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT sequence, captured_at_ms, status, code, detail, body FROM dead_letters ORDER BY sequence"
            ).fetchall()
        return [DeadLetter(*row) for row in rows]

    def unreadable(self) -> list[UnreadablePicture]:
        """The pictures that were set aside, those met last first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT name, reason, times, last_at_ms FROM unreadable ORDER BY last_at_ms DESC, name"
            ).fetchall()
        return [UnreadablePicture(*row) for row in rows]

    def _log_dropped(self, sequence: int) -> None:
        self._dropped_since_start += 1
        is_power_of_two = self._dropped_since_start & (self._dropped_since_start - 1) == 0
        # Each one at debug, but a week without a server must not fill the disk with warnings.
        tell = _log.warning if is_power_of_two else _log.debug
        tell("frame-dropped", reason="the spool is full", sequence=sequence, so_far=self._dropped_since_start)

    def _drop_oldest(self, connection: Connection) -> list[int]:
        dropped: list[int] = []
        while True:
            counts = _counts(connection)
            if counts["waiting"] <= self._limits.frames and counts["waiting_bytes"] <= self._limits.frame_bytes:
                return dropped
            sequence = connection.execute("SELECT min(sequence) FROM frames").fetchone()[0]
            _delete_frame(connection, sequence)
            _count(connection, dropped=1)
            dropped.append(sequence)


def _delete_frame(connection: Connection, sequence: int) -> int | None:
    row = connection.execute("DELETE FROM frames WHERE sequence = ? RETURNING length(body)", (sequence,)).fetchone()
    if row is None:
        return None
    _count(connection, waiting=-1, waiting_bytes=-row[0])
    frame_bytes: int = row[0]
    return frame_bytes


def _count(connection: Connection, **increments: int) -> None:
    connection.executemany(
        "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
        increments.items(),
    )


def _counts(connection: Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT name, value FROM counters").fetchall())
