"""Hourly sums of answers and bytes, by tables."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables; what was answered before is not counted."""
    op.create_table(
        "hourly_answers",
        sa.Column("family", sa.String(63), primary_key=True),
        sa.Column("tables", sa.String(16), primary_key=True),
        sa.Column("match", sa.String(8), primary_key=True),
        sa.Column("hour", sa.Integer, primary_key=True),
        sa.Column("shard", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("frames", "scan_bytes", "labelled", "correct")),
        sqlite_with_rowid=False,
    )
    counted = ("frames", "scan_bytes", "tables_bytes", "markers_bytes", "http_bytes", "answer_bytes")
    op.create_table(
        "hourly_bytes",
        sa.Column("family", sa.String(63), primary_key=True),
        sa.Column("tables", sa.String(16), primary_key=True),
        sa.Column("hour", sa.Integer, primary_key=True),
        sa.Column("shard", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in counted),
        sqlite_with_rowid=False,
    )
