"""The spool: frames stay here, in order and under their number, until the server has answered for them."""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sensor_client.logs import get_logger
from sensor_client.spool import companions, labels, mending, pictures, refused
from sensor_client.spool.checksums import checksum_of, is_as_stored
from sensor_client.spool.counting import count_up, counts_of, note_uptime
from sensor_client.spool.database import (
    RESERVE_BYTES,
    Connection,
    Database,
    NotTooFarError,
    NumbersExhaustedError,
    SpoolDamagedError,
)
from sensor_client.spool.numbers import first_sequence_of, highest_given, number_behind, number_from
from sensor_client.spool.records import (
    Counters,
    DeadLetter,
    Depth,
    DropReason,
    Drops,
    PendingLabel,
    Priority,
    Probe,
    SpooledFrame,
    SpoolLimits,
    UnreadablePicture,
)
from sensor_client.spool.reserve import Reserve
from sensor_client.spool.waiting import Dropped, Waiting, delete, drops_of, make_room
from shared.wire import Kind, is_too_high

NOTHING: Mapping[str, int] = {}
RENUMBERED_ABOVE_MAX = 2**62
"""No number near the end of all numbers is gone on from: a server that says so is wrong, or wishes the device ill."""

_OLDEST = """
SELECT sequence, captured_at_ms, tables_id, target, body, label, companion_of, kind, priority, body_crc FROM frames
WHERE companion_of IS NULL AND priority = ? ORDER BY sequence
"""
_WHY = {DropReason.QUOTA: "the spool is full", DropReason.AGE: "it waited for too long"}
_log = get_logger(__name__)


class Spool:
    """A durable first-in, first-out store of frames with quotas. Safe for threads; one process at a time writes.

    Every method that changes something is one transaction, fsynced when it returns.

    Raises (all methods):
        SpoolError: the file cannot be used; nothing was changed.
    """

    def __init__(
        self,
        path: Path,
        limits: SpoolLimits,
        first_sequence: int | None = 1,
        monotonic_seconds: Callable[[], float] = lambda: 0.0,
        random: Callable[[], float] | None = None,
    ) -> None:
        """Open the spool, or make it; a new one numbers from `first_sequence`. With None it can only be read.

        Args:
            monotonic_seconds: what frames age by; without it, no time passes.

            random: chance in [0, 1), only of who has the state directory for himself. With it a damaged file is set
                aside, and what can be read of it is moved into a new one; and room is kept to let frames go on a full
                disk. Without it, damage is told.

        Raises:
            NoSpoolError: it is only to be read, and there is none yet.
        """
        self._path = path
        self._limits = limits
        self._random = random
        self._tables: dict[str, bytes] = {}
        if random is not None:
            mending.end_what_was_begun(path)
            reserve = Reserve(path.with_name(f"{path.stem}-reserve"), RESERVE_BYTES)
            self._database = Database(path, first_sequence, self._mend, reserve)
        else:
            self._database = Database(path, first_sequence)
        self._seconds = monotonic_seconds
        self._opened_at_seconds = monotonic_seconds()
        self._uptime_before_ms = self._counts().get("uptime_ms", 0)
        self._dropped_since_start = 0

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @property
    def uptime_seconds(self) -> float:
        """For how long the program has run with this spool, all its starts together, as far as it was noted.

        It is noted with each frame that comes or goes: what is lost by a power cut makes frames younger, not older.
        """
        return self._uptime_ms() / 1000

    def append(
        self,
        body: bytes,
        captured_at_ms: int,
        *,
        tables_id: str | None = None,
        target: str | None = None,
        label: str | None = None,
        probe: Probe | None = None,
        priority: Priority = Priority.ORDINARY,
        counts: Mapping[str, int] = NOTHING,
    ) -> int:
        """Store a frame and return its sequence number; over quota, others are dropped, or itself (`SpoolLimits`).

        Args:
            tables_id: of an abbreviated body; its tables must have been given to `keep_tables`.
            target: the bundle that it was encoded with.
            probe: goes with the frame, under the number behind its own.
            counts: added to counters in the same transaction, as `count` adds them.
        """
        with self._database.transaction() as connection:
            uptime_ms = self._uptime_ms()
            sequence = connection.execute(
                "INSERT INTO frames (captured_at_ms, tables_id, target, body, body_crc, label, priority, uptime_ms)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (captured_at_ms, tables_id, target, body, checksum_of(body), label, priority, uptime_ms),
            ).lastrowid
            count_up(connection, captured=1, encoded=1, encoded_bytes=len(body), waiting_bytes=len(body), waiting=1)
            count_up(connection, **counts)
            assert sequence is not None
            if probe is not None:
                companions.add(connection, sequence, captured_at_ms, probe, uptime_ms)
            dropped = make_room(connection, self._limits, sequence, body, uptime_ms)
            note_uptime(connection, uptime_ms)
        for each in dropped:
            self._log_dropped(each)
        return sequence

    def count(self, counts: Mapping[str, int]) -> None:
        """Add to counters of pictures that leave no frame, such as `unchanged`, and of how frames were made."""
        with self._database.transaction() as connection:
            count_up(connection, **counts)

    def set_aside(self, name: str, reason: str, at_ms: int) -> None:
        """Count a picture that could not be read, and remember its name."""
        with self._database.transaction() as connection:
            pictures.note_unreadable(connection, self._limits, name, reason, at_ms)

    def keep_tables(self, tables_id: str, stream: bytes) -> None:
        """Store the tables of the frames to come, and delete those that no waiting frame needs."""
        self._tables = {tables_id: stream}
        with self._database.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO tables VALUES (?, ?)", (tables_id, stream))
            connection.execute(
                "DELETE FROM tables WHERE tables_id <> ? AND tables_id NOT IN"
                " (SELECT tables_id FROM frames WHERE tables_id IS NOT NULL"
                " UNION SELECT tables_id FROM origins WHERE tables_id IS NOT NULL)",
                (tables_id,),
            )

    def oldest(self, count: int, enough_bytes: int = 2**62, but: Collection[int] = ()) -> list[SpooledFrame]:
        """The frames to send next: those of the highest priority that waits, and of no other one, oldest first.

        There are `count` of them, or as many as there are until the last brings them to `enough_bytes`. Companions are
        none of them.

        Args:
            but: not those with these numbers.
        """
        for priority in reversed(Priority):
            frames = self._first(_OLDEST, (priority,), count, enough_bytes, but)
            if frames:
                return frames
        return []

    def companions(self, count: int, enough_bytes: int = 2**62) -> list[SpooledFrame]:
        """Companions whose frames wait no more, oldest first: as many as `oldest` would give."""
        return self._first(companions.DUE, (), count, enough_bytes)

    def tables_stream(self, tables_id: str) -> bytes | None:
        """The tables-only stream that frames with this id were made with."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT stream FROM tables WHERE tables_id = ?", (tables_id,)).fetchone()
        return None if row is None else row[0]

    def acknowledge(self, sequences: Iterable[int]) -> None:
        """Delete frames or companions that the server has; the frames' labels become due. It needs no room."""
        keys = list(sequences)
        self._database.let_go(lambda connection: self._acknowledge(connection, keys))

    def refuse(self, sequence: int, *, status: int, code: str, detail: str) -> None:
        """Make a frame that the server will never take a dead letter, with the reason; its companions go with it."""

        def bury(connection: Connection) -> None:
            refused.keep(connection, sequence, status=status, code=code, detail=detail)
            if delete(connection, sequence) is not None:
                count_up(connection, refused=1)
                companions.drop_those_of(connection, sequence)
            refused.trim(connection, self._limits)

        self._database.let_go(bury)

    def drop_companions(self, sequences: Iterable[int] | None = None) -> int:
        """Drop these companions, or all of them, and count them; returns how many were here."""
        with self._database.transaction() as connection:
            return companions.drop_all(connection) if sequences is None else companions.drop(connection, sequences)

    def renumber(self, above: int) -> int:
        """Give every frame here, and every one to come, a number above `above` and above all that were given here.

        Their order stays, and the gaps between them. Returns how many frames are here, companions among them.

        Raises:
            NumbersExhaustedError: there are no such numbers left to go on counting with; nothing was changed.
        """
        if above > RENUMBERED_ABOVE_MAX:
            raise NumbersExhaustedError(above)
        with self._database.transaction() as connection:
            frames = number_from(connection, max(above, highest_given(connection)) + 1)
            count_up(connection, renumbered=frames)
        return frames

    def count_back(self, above: int) -> int:
        """Give every frame here, and every one to come, the numbers from behind `above`: it had counted too far.

        Their order stays; the gaps between them close, so that the last one is not too high either. Labels of frames
        with numbers above it go, for the server has no such frames, and so do their companions. Returns how many frames
        are here, companions among them.

        Raises:
            NotTooFarError: a server with this highest number takes all that were given here; nothing was changed.
        """
        with self._database.transaction() as connection:
            given = highest_given(connection)
            if not is_too_high(given, above):
                raise NotTooFarError(given, above)
            unknown = connection.execute("DELETE FROM labels WHERE sequence > ?", (above,)).rowcount
            count_up(connection, labels_refused=unknown)
            companions.drop_unknown(connection, above)
            frames = number_behind(connection, above)
            count_up(connection, renumbered=frames)
        return frames

    def replace_body(self, sequence: int, body: bytes) -> None:
        """Replace a frame by the interchange stream `body`. The quota is not checked."""
        with self._database.transaction() as connection:
            known = "SELECT length(body), companion_of IS NULL FROM frames WHERE sequence = ?"
            row = connection.execute(known, (sequence,)).fetchone()
            if row is None:
                return
            connection.execute(
                "UPDATE frames SET body = ?, body_crc = ?, tables_id = NULL WHERE sequence = ?",
                (body, checksum_of(body), sequence),
            )
            counter = "waiting_bytes" if row[1] else "waiting_probe_bytes"
            count_up(connection, **{counter: len(body) - row[0]})

    def pending_labels(self, count: int) -> list[PendingLabel]:
        """Labels of acknowledged frames that the server has not confirmed, oldest first."""
        with self._database.reading() as connection:
            return labels.pending(connection, count)

    def settle_labels(self, sent: Iterable[int], refused: Iterable[int]) -> None:
        """Delete labels that the server has, and those that it will never take."""
        settled = {"labels_sent": list(sent), "labels_refused": list(refused)}
        self._database.let_go(lambda connection: labels.settle(connection, settled))

    def depth(self) -> Depth:
        """What waits in the spool now."""
        with self._database.reading() as connection:
            counts = counts_of(connection)
            waiting = connection.execute("SELECT count(*) FROM labels").fetchone()[0]
            dead = connection.execute("SELECT count(*) FROM dead_letters").fetchone()[0]
        return Depth(
            frames=counts.get("waiting", 0),
            frame_bytes=counts.get("waiting_bytes", 0),
            labels=waiting,
            dead_letters=dead,
            probes=counts.get("waiting_probes", 0),
        )

    def has_room_to_spare(self) -> bool:
        """Whether at most half of each quota is used."""
        waiting = Waiting.of(self._counts())
        return 2 * waiting.frames <= self._limits.frames and 2 * waiting.body_bytes <= self._limits.frame_bytes

    def next_sequence(self) -> int:
        """The number that the next frame gets, unless all are numbered anew before."""
        with self._database.reading() as connection:
            return highest_given(connection) + 1

    def counters(self) -> Counters:
        """What happened since the state directory was made."""
        counts = self._counts()
        return Counters(**{field.name: counts.get(field.name, 0) for field in dataclasses.fields(Counters)})

    def drops(self) -> Drops:
        """How many frames were dropped since then, by reason and priority, where there were any."""
        return drops_of(self._counts())

    def highest_sequence(self) -> int | None:
        """The highest number that was given to a frame; None before the first."""
        with self._database.reading() as connection:
            if not counts_of(connection).get("encoded"):
                return None
            return highest_given(connection)

    def count_start(self) -> int:
        """Count that the program began, and return how often it has begun with this spool."""
        with self._database.transaction() as connection:
            count_up(connection, starts=1)
            return counts_of(connection)["starts"]

    def dead_letters(self) -> list[DeadLetter]:
        """The refused frames that are kept, oldest first."""
        with self._database.reading() as connection:
            return refused.listed(connection)

    def send_again(self, sequences: Collection[int] | None = None) -> int:
        """Let these dead letters, or all, wait again as frames with new numbers; returns how many were here."""
        with self._database.transaction() as connection:
            return refused.send_again(connection, self._uptime_ms(), sequences)

    def clear_dead_letters(self, sequences: Collection[int] | None = None) -> int:
        """Drop these dead letters, or all; returns how many were here."""
        return self._database.let_go(lambda connection: refused.clear(connection, sequences))

    def unreadable(self) -> list[UnreadablePicture]:
        """The pictures that were set aside, those met last first."""
        with self._database.reading() as connection:
            return pictures.unreadable(connection)

    def _acknowledge(self, connection: Connection, sequences: Iterable[int]) -> None:
        for sequence in sequences:
            connection.execute(
                "INSERT INTO labels SELECT sequence, label FROM frames WHERE sequence = ? AND label IS NOT NULL",
                (sequence,),
            )
            gone = delete(connection, sequence)
            if gone is not None and gone.is_companion:
                count_up(connection, probes_sent=1)
            elif gone is not None:
                count_up(connection, acknowledged=1, acknowledged_bytes=gone.body_bytes)
        note_uptime(connection, self._uptime_ms())

    def _mend(self, why: SpoolDamagedError) -> None:
        assert self._random is not None
        mending.mend(self._path, self._limits, first_sequence_of(True, self._random()), self._tables, why)

    def _counts(self) -> dict[str, int]:
        with self._database.reading() as connection:
            return counts_of(connection)

    def _uptime_ms(self) -> int:
        return self._uptime_before_ms + int((self._seconds() - self._opened_at_seconds) * 1000)

    def _log_dropped(self, frame: Dropped) -> None:
        self._dropped_since_start += 1
        is_power_of_two = self._dropped_since_start & (self._dropped_since_start - 1) == 0
        # Each one at debug, but a week without a server must not fill the disk with warnings.
        tell = _log.warning if is_power_of_two else _log.debug
        tell("frame-dropped", reason=_WHY[frame.reason], sequence=frame.sequence, so_far=self._dropped_since_start)

    def _first(
        self, query: str, values: tuple[int, ...], count: int, enough_bytes: int, but: Collection[int] = ()
    ) -> list[SpooledFrame]:
        frames, frame_bytes = list[SpooledFrame](), 0
        with self._database.reading() as connection:
            for row in connection.execute(query, values):
                if row[0] in but:
                    continue
                if len(frames) >= count or frame_bytes >= enough_bytes:
                    break
                frames.append(_frame_of(row))
                frame_bytes += len(frames[-1].body)
        return frames


def _frame_of(row: Sequence[Any]) -> SpooledFrame:
    *columns, kind, priority, checksum = row
    frame = SpooledFrame(*columns)
    try:
        known = Kind.FRAME if kind is None else Kind(kind)
        if is_as_stored(frame.body, checksum):
            return dataclasses.replace(frame, kind=known, priority=Priority(priority))
    except (ValueError, TypeError) as error:
        raise SpoolDamagedError(f"frame {frame.sequence} of the spool is none: {error}") from error
    raise SpoolDamagedError(f"frame {frame.sequence} of the spool is not as it was stored")
