"""Dead letters: frames that the server refused for good, kept within bounds, and sent again if somebody asks for it."""

from collections.abc import Collection

from sensor_client.spool.checksums import checksum_of
from sensor_client.spool.counting import count_up
from sensor_client.spool.database import Connection
from sensor_client.spool.numbers import highest_given
from sensor_client.spool.records import DeadLetter, SpoolLimits

DETAIL_LIMIT_CHARACTERS = 500

# Those above all numbers that were given are from before the device went back to lower ones, and so the oldest.
_OLDEST = "SELECT sequence FROM dead_letters ORDER BY sequence > ? DESC, sequence LIMIT 1"


def keep(connection: Connection, sequence: int, *, status: int, code: str, detail: str) -> None:
    """Copy a frame that is about to go."""
    values = (status, code, detail[:DETAIL_LIMIT_CHARACTERS], sequence)
    connection.execute(
        "INSERT OR REPLACE INTO dead_letters SELECT sequence, captured_at_ms, ?, ?, ?, body"
        " FROM frames WHERE sequence = ?",
        values,
    )
    connection.execute(
        "INSERT OR REPLACE INTO origins SELECT sequence, tables_id, target, label, priority"
        " FROM frames WHERE sequence = ?",
        (sequence,),
    )


def trim(connection: Connection, limits: SpoolLimits) -> None:
    """Drop the oldest ones that are over the bounds."""
    while True:
        count, body_bytes = connection.execute("SELECT count(*), total(length(body)) FROM dead_letters").fetchone()
        if count <= limits.dead_letters and body_bytes <= limits.dead_letter_bytes:
            return
        row = connection.execute(_OLDEST, (highest_given(connection),)).fetchone()
        clear(connection, [row[0]])


def listed(connection: Connection) -> list[DeadLetter]:
    """All of them, by number."""
    query = "SELECT sequence, captured_at_ms, status, code, detail, body FROM dead_letters ORDER BY sequence"
    return [DeadLetter(*row) for row in connection.execute(query).fetchall()]


def clear(connection: Connection, sequences: Collection[int] | None = None) -> int:
    """Drop these, or all of them; returns how many were here."""
    if sequences is None:
        connection.execute("DELETE FROM origins")
        return connection.execute("DELETE FROM dead_letters").rowcount
    cleared = 0
    for sequence in sequences:
        connection.execute("DELETE FROM origins WHERE sequence = ?", (sequence,))
        cleared += connection.execute("DELETE FROM dead_letters WHERE sequence = ?", (sequence,)).rowcount
    return cleared


def send_again(connection: Connection, uptime_ms: int, sequences: Collection[int] | None = None) -> int:
    """Let these, or all of them, wait again as frames with new numbers, in their order; returns how many."""
    chosen = [letter for letter in listed(connection) if sequences is None or letter.sequence in sequences]
    for letter in chosen:
        connection.execute(
            "INSERT INTO frames (captured_at_ms, body, body_crc, uptime_ms, tables_id, target, label, priority)"
            " SELECT ?, ?, ?, ?, (SELECT tables_id FROM tables WHERE tables_id = origins.tables_id), target, label,"
            " coalesce(priority, 0) FROM (SELECT ? AS sequence) LEFT JOIN origins USING (sequence)",
            (letter.captured_at_ms, letter.body, checksum_of(letter.body), uptime_ms, letter.sequence),
        )
        count_up(connection, retried=1, waiting=1, waiting_bytes=len(letter.body))
    clear(connection, [letter.sequence for letter in chosen])
    return len(chosen)
