"""The tables of hourly sums: what was answered, how right it was, and what it cost; an hour is counted since 1970."""

from sqlalchemy import Column, Integer, String, Table

from cloud_server.storage.metadata import later_sums_of, metadata, sums_of

# What was answered in an hour (since 1970), and what it cost; see `rows.sums`.
hourly_answers = Table(
    "hourly_answers",
    metadata,
    Column("family", String(63), primary_key=True),
    Column("tables", String(16), primary_key=True),
    Column("match", String(8), primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("shard", Integer, primary_key=True),
    *sums_of("frames", "scan_bytes", "labelled", "correct"),
    *later_sums_of("estimated", "expected_millionths", "audited", "audited_correct"),
    sqlite_with_rowid=False,
)

hourly_bytes = Table(
    "hourly_bytes",
    metadata,
    Column("family", String(63), primary_key=True),
    Column("tables", String(16), primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("shard", Integer, primary_key=True),
    *sums_of("frames", "scan_bytes", "tables_bytes", "markers_bytes", "http_bytes", "answer_bytes"),
    sqlite_with_rowid=False,
)

# What frames that were measured cost, and what ordinary JPEG would have cost in their place; see `rows.baseline_sums`.
hourly_baselines = Table(
    "hourly_baselines",
    metadata,
    Column("family", String(63), primary_key=True),
    Column("tables", String(16), primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("shard", Integer, primary_key=True),
    *sums_of("frames", "payload_bytes", "baseline_bytes"),
    sqlite_with_rowid=False,
)
