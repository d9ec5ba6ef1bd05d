"""What waits in the spool: how much it is, and what is dropped first when that is too much."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from sensor_client.spool import companions
from sensor_client.spool.counting import count_up, counts_of
from sensor_client.spool.database import Connection, SpoolDamagedError
from sensor_client.spool.records import DropReason, Drops, Priority, SpoolLimits

EXPIRED_AT_ONCE = 64
"""Of frames too old, so many go with each one that comes: appending takes no longer after a month offline."""

_FIRST_TO_GO = """
SELECT min(sequence) FROM frames
WHERE companion_of IS NULL AND priority = (SELECT min(priority) FROM frames WHERE companion_of IS NULL)
"""


class Waiting(NamedTuple):
    """What counts against the quotas."""

    frames: int
    body_bytes: int

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Self:
        frames = counts.get("waiting", 0) + counts.get("waiting_probes", 0)
        return cls(frames, counts.get("waiting_bytes", 0) + counts.get("waiting_probe_bytes", 0))


class Gone(NamedTuple):
    """What was deleted."""

    body_bytes: int
    is_companion: bool
    priority: Priority


class Dropped(NamedTuple):
    """A frame that was dropped."""

    sequence: int
    reason: DropReason


def make_room(connection: Connection, limits: SpoolLimits, sequence: int, body: bytes, uptime_ms: int) -> list[Dropped]:
    """Drop what has to go after a frame was stored; returns the frames. No companion outlives its frame by that."""
    dropped = [] if limits.age_seconds is None else _expire(connection, uptime_ms - int(limits.age_seconds * 1000))
    if len(body) > limits.frame_bytes:
        companions.drop_those_of(connection, sequence)
        dropped.append(_drop(connection, sequence, DropReason.QUOTA))
    while _is_over_quota(connection, limits):
        if companions.drop_oldest(connection):
            continue
        first_to_go = connection.execute(_FIRST_TO_GO).fetchone()[0]
        dropped.append(_drop(connection, first_to_go, DropReason.QUOTA))
    return dropped


def drops_of(counts: Mapping[str, int]) -> Drops:
    """How many frames were dropped, where there were any."""
    names = {(reason, priority): drop_counter(reason, priority) for reason in DropReason for priority in Priority}
    return {key: counts[name] for key, name in names.items() if counts.get(name)}


def drop_counter(reason: DropReason, priority: Priority) -> str:
    """The name under which such drops are counted."""
    return f"dropped_{reason.value}_{priority.name.lower()}"


def _expire(connection: Connection, before_ms: int) -> list[Dropped]:
    """Drop what was stored before. Numbers and uptimes rise together: only the first ones have to be looked at.

    A frame without an uptime, of an earlier program, waits until it is sent, and so do those behind it.
    """
    dropped: list[Dropped] = []
    oldest = "SELECT sequence, companion_of IS NOT NULL, uptime_ms FROM frames ORDER BY sequence LIMIT 1"
    for _ in range(EXPIRED_AT_ONCE):
        row = connection.execute(oldest).fetchone()
        if row is None or row[2] is None or row[2] >= before_ms:
            break
        if row[1]:
            companions.drop(connection, [row[0]])
        else:
            dropped.append(_drop(connection, row[0], DropReason.AGE))
    return dropped


def _drop(connection: Connection, sequence: int, reason: DropReason) -> Dropped:
    gone = delete(connection, sequence)
    if gone is None:
        raise SpoolDamagedError(f"the spool counts or lists a frame that it does not have: {sequence}")
    count_up(connection, dropped=1, **{drop_counter(reason, gone.priority): 1})
    return Dropped(sequence, reason)


def delete(connection: Connection, sequence: int) -> Gone | None:
    """Delete a frame or companion that has no further use; None where it is not here."""
    row = connection.execute(
        "DELETE FROM frames WHERE sequence = ? RETURNING length(body), companion_of IS NOT NULL, priority", (sequence,)
    ).fetchone()
    if row is None:
        return None
    if not isinstance(row[0], int) or row[2] not in list(Priority):
        raise SpoolDamagedError(f"frame {sequence} of the spool is none")
    gone = Gone(row[0], bool(row[1]), Priority(row[2]))
    if gone.is_companion:
        count_up(connection, waiting_probes=-1, waiting_probe_bytes=-gone.body_bytes)
    else:
        count_up(connection, waiting=-1, waiting_bytes=-gone.body_bytes)
    return gone


def _is_over_quota(connection: Connection, limits: SpoolLimits) -> bool:
    waiting = Waiting.of(counts_of(connection))
    return waiting.frames > limits.frames or waiting.body_bytes > limits.frame_bytes
