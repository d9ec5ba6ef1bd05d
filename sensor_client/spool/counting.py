"""The spool's counters: rows that are changed in the transaction of what they count."""

from sensor_client.spool.database import Connection, SpoolDamagedError


def count_up(connection: Connection, **increments: int) -> None:
    """Add to counters; one that is not there yet begins at 0."""
    connection.executemany(
        "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
        increments.items(),
    )


def counts_of(connection: Connection) -> dict[str, int]:
    """All counters that were ever added to."""
    counts = dict(connection.execute("SELECT name, value FROM counters").fetchall())
    if not all(isinstance(name, str) and isinstance(value, int) for name, value in counts.items()):
        raise SpoolDamagedError("a counter of the spool is no number")
    return counts


def note_uptime(connection: Connection, uptime_ms: int) -> None:
    """Keep for how long the program has run with this spool, all its starts together."""
    connection.execute("INSERT OR REPLACE INTO counters VALUES ('uptime_ms', ?)", (uptime_ms,))
