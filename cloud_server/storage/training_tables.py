"""The database's table of trainings; it belongs to `schema`."""

from sqlalchemy import BigInteger, Column, Double, Index, Integer, String, Table, Text

from cloud_server.storage.metadata import metadata

# One row a training; `open_family` is its family until it ends, so that a family has one such at most. Times are
# seconds since 1970: `lease_until` is until when the `worker` has it to itself, `data_until` up to when it knew labels.
# `document` is JSON, see `trainings.document`.
training_runs = Table(
    "training_runs",
    metadata,
    Column("id", String(8), primary_key=True),
    Column("family", String(63), nullable=False),
    Column("trigger", String(16), nullable=False),
    Column("reason", String(500)),
    Column("asked_by", String(64), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("state", String(8), nullable=False),
    Column("worker", String(64)),
    Column("lease_until", Double),
    Column("attempts", Integer, nullable=False),
    Column("started_at", Double),
    Column("stage", String(32)),
    Column("share", Double),
    Column("told_at", Double),
    Column("ended_at", Double),
    Column("outcome", String(16)),
    Column("counter", BigInteger),
    Column("rollout", String(8)),
    Column("data_until", Double),
    Column("document", Text),
    Column("open_family", String(63), unique=True),
    Index("training_runs_by_family", "family", "created_at"),
    Index("training_runs_by_end", "family", "outcome", "ended_at"),
)
