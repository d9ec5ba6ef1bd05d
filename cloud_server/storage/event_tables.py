"""The database's tables of events and of how far each webhook was told of them; they belong to `schema`."""

from sqlalchemy import BigInteger, Column, Double, Integer, String, Table, Text

from cloud_server.storage.metadata import metadata

# What happened that no operator did, in order; `facts` is JSON. Of several processes that see the same thing, the first
# one's row stands: `once` says what the same thing is.
events = Table(
    "events",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("subject", String(256), nullable=False),
    Column("facts", Text, nullable=False),
    Column("once", String(200), unique=True),
)

# One row, which whoever adds an event locks: so numbers rise in the order of commits, and a cursor passes over none.
event_head = Table(
    "event_head",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("seq", BigInteger, nullable=False),
)

# How far each endpoint was told of the audit and of events. `failures` are those in a row, and `fault` is the last one.
webhooks = Table(
    "webhooks",
    metadata,
    Column("endpoint", String(64), primary_key=True),
    Column("audit_seq", BigInteger, nullable=False),
    Column("event_seq", BigInteger, nullable=False),
    Column("delivered_at", Double),
    Column("failures", Integer, nullable=False),
    Column("fault", String(200)),
)
