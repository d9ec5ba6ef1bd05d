"""Companions in the spool: frames that belong to others, are sent after those, and are the first to go."""

from collections.abc import Iterable

from sensor_client.spool.checksums import checksum_of
from sensor_client.spool.counting import count_up, counts_of
from sensor_client.spool.database import Connection
from sensor_client.spool.records import Probe

DUE = """
SELECT sequence, captured_at_ms, tables_id, target, body, label, companion_of, kind, priority, body_crc FROM frames
WHERE companion_of IS NOT NULL AND companion_of NOT IN (SELECT sequence FROM frames) ORDER BY sequence
"""
"""Those whose frames wait no more, oldest first."""


def add(connection: Connection, of: int, captured_at_ms: int, probe: Probe, uptime_ms: int) -> None:
    """Store a probe of the frame `of`, which is in the spool."""
    if probe.tables is not None:
        connection.execute("INSERT OR IGNORE INTO tables VALUES (?, ?)", probe.tables)
    tables_id = probe.tables and probe.tables[0]
    connection.execute(
        "INSERT INTO frames (captured_at_ms, tables_id, target, body, body_crc, kind, companion_of, uptime_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            captured_at_ms,
            tables_id,
            probe.target,
            probe.body,
            checksum_of(probe.body),
            probe.kind.value,
            of,
            uptime_ms,
        ),
    )
    count_up(connection, probes_encoded=1, waiting_probes=1, waiting_probe_bytes=len(probe.body))


def drop(connection: Connection, sequences: Iterable[int]) -> int:
    """Drop those of these frames that are companions; returns how many were here."""
    dropped = 0
    for sequence in sequences:
        row = connection.execute(
            "DELETE FROM frames WHERE sequence = ? AND companion_of IS NOT NULL RETURNING length(body)", (sequence,)
        ).fetchone()
        if row is not None:
            count_up(connection, probes_dropped=1, waiting_probes=-1, waiting_probe_bytes=-row[0])
            dropped += 1
    return dropped


def drop_all(connection: Connection) -> int:
    """Drop every companion; returns how many were here."""
    return drop(connection, _found(connection, "SELECT sequence FROM frames WHERE companion_of IS NOT NULL"))


def drop_oldest(connection: Connection) -> bool:
    """Drop the oldest companion; false where there is none."""
    if not counts_of(connection).get("waiting_probes"):
        return False
    oldest = "SELECT min(sequence) FROM frames WHERE companion_of IS NOT NULL"
    return drop(connection, _found(connection, oldest)) > 0


def drop_those_of(connection: Connection, sequence: int) -> None:
    """Drop the companions of a frame that the server will never have."""
    drop(connection, _found(connection, "SELECT sequence FROM frames WHERE companion_of = ?", sequence))


def drop_unknown(connection: Connection, above: int) -> None:
    """Drop those whose frames are neither here nor at a server that has none above this number."""
    unknown = "SELECT sequence FROM frames WHERE companion_of > ? AND companion_of NOT IN (SELECT sequence FROM frames)"
    drop(connection, _found(connection, unknown, above))


def _found(connection: Connection, query: str, *values: int) -> list[int]:
    return [row[0] for row in connection.execute(query, values).fetchall()]
