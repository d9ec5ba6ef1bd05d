"""Labels of frames that the server has: they wait until it has them, too."""

from collections.abc import Collection, Mapping

from sensor_client.spool.counting import count_up
from sensor_client.spool.database import Connection
from sensor_client.spool.records import PendingLabel


def pending(connection: Connection, count: int) -> list[PendingLabel]:
    """The oldest that wait."""
    rows = connection.execute("SELECT * FROM labels ORDER BY sequence LIMIT ?", (count,)).fetchall()
    return [PendingLabel(*row) for row in rows]


def settle(connection: Connection, settled: Mapping[str, Collection[int]]) -> None:
    """Delete labels, and count each that was here under the name of what became of it."""
    for counter, sequences in settled.items():
        for sequence in sequences:
            if connection.execute("DELETE FROM labels WHERE sequence = ?", (sequence,)).rowcount:
                count_up(connection, **{counter: 1})
