"""The tables of the spool's file, and what later programs added to them."""

import sqlite3

SCHEMA_VERSION = 1

# AUTOINCREMENT: a sequence number is never given again, also when the frames before it are gone (SQLite keeps
# the highest in sqlite_sequence, in the same transaction as the insert).
SCHEMA = """
CREATE TABLE tables (tables_id TEXT PRIMARY KEY, stream BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE frames (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    captured_at_ms INTEGER NOT NULL,
    tables_id TEXT REFERENCES tables (tables_id),
    body BLOB NOT NULL,
    label TEXT
);
CREATE TABLE labels (sequence INTEGER PRIMARY KEY, label TEXT NOT NULL);
CREATE TABLE dead_letters (
    sequence INTEGER PRIMARY KEY,
    captured_at_ms INTEGER NOT NULL,
    status INTEGER NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

# Of a later date than the version: a file that has it not gets it, and a program that knows it not leaves it alone.
ADDED = (
    """
CREATE TABLE IF NOT EXISTS unreadable (
    name TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    times INTEGER NOT NULL,
    last_at_ms INTEGER NOT NULL
) WITHOUT ROWID
""",
    """
CREATE TABLE IF NOT EXISTS origins (
    sequence INTEGER PRIMARY KEY,
    tables_id TEXT,
    target TEXT,
    label TEXT,
    priority INTEGER
)
""",  # of dead letters: an earlier program fills their table without naming its columns, so it has no others
)
ADDED_COLUMNS = {  # of frames; a program that knows one not leaves it at its default
    "target": "TEXT",
    "kind": "TEXT",
    "companion_of": "INTEGER",
    "priority": "INTEGER NOT NULL DEFAULT 0",
    "uptime_ms": "INTEGER",
    "body_crc": "INTEGER",  # SQLite does not notice what becomes of bytes that it only keeps
}
ADDED_INDICES = (
    "CREATE INDEX IF NOT EXISTS companions ON frames (companion_of) WHERE companion_of IS NOT NULL",
    # An index ends in the row's number: with it, the first of a priority is found at once however many wait.
    "CREATE INDEX IF NOT EXISTS priorities ON frames (priority) WHERE companion_of IS NULL",
)


def make_schema(connection: sqlite3.Connection) -> None:
    """Make the tables of a spool in an empty file, of which its first page is then known."""
    for statement in SCHEMA.split(";"):
        connection.execute(statement)
    add_what_is_new(connection)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def add_what_is_new(connection: sqlite3.Connection) -> None:
    """Add what the file of an earlier program lacks."""
    for statement in ADDED:
        connection.execute(statement)
    known = {row[1] for row in connection.execute("PRAGMA table_info(frames)")}
    for name, kind in ADDED_COLUMNS.items():
        if name not in known:
            connection.execute(f"ALTER TABLE frames ADD COLUMN {name} {kind}")
    for statement in ADDED_INDICES:
        connection.execute(statement)
