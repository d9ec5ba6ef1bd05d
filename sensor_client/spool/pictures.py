"""Pictures that could not be read: counted, and the last of them remembered by name."""

from sensor_client.spool.counting import count_up
from sensor_client.spool.database import Connection
from sensor_client.spool.records import SpoolLimits, UnreadablePicture
from sensor_client.spool.refused import DETAIL_LIMIT_CHARACTERS


def note_unreadable(connection: Connection, limits: SpoolLimits, name: str, reason: str, at_ms: int) -> None:
    """Count a picture, and remember its name; those met longest ago are forgotten."""
    connection.execute(
        "INSERT INTO unreadable VALUES (?, ?, 1, ?) ON CONFLICT (name) DO UPDATE"
        " SET reason = excluded.reason, times = times + 1, last_at_ms = excluded.last_at_ms",
        (name, reason[:DETAIL_LIMIT_CHARACTERS], at_ms),
    )
    connection.execute(
        "DELETE FROM unreadable WHERE name NOT IN (SELECT name FROM unreadable ORDER BY last_at_ms DESC, name LIMIT ?)",
        (limits.unreadable,),
    )
    count_up(connection, captured=1, unreadable=1)


def unreadable(connection: Connection) -> list[UnreadablePicture]:
    """Those that are remembered, those met last first."""
    query = "SELECT name, reason, times, last_at_ms FROM unreadable ORDER BY last_at_ms DESC, name"
    return [UnreadablePicture(*row) for row in connection.execute(query).fetchall()]
