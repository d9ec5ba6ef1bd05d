"""Tables of how well the server's answers still are; `schema` has the others."""

from sqlalchemy import BigInteger, Column, Double, Integer, String, Table

from cloud_server.storage.metadata import metadata

# How the signals of each version stand, as each process sees them; see `quality.drift`.
drift_signals = Table(
    "drift_signals",
    metadata,
    Column("replica", String(16), primary_key=True),
    Column("family", String(63), primary_key=True),
    Column("counter", Integer, primary_key=True, autoincrement=False),
    Column("signal", String(64), primary_key=True),
    Column("score", Double),
    Column("frames", BigInteger, nullable=False),
    Column("alarms", Integer, nullable=False),
    Column("since", Double),
    Column("saved_at", Double, nullable=False, index=True),
)
