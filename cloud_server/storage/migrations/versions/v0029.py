"""Accuracy as it is estimated and audited, and what ordinary JPEG would have cost."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Add the sums, all of them 0, and make the table, empty."""
    for name in ("estimated", "expected_millionths", "audited", "audited_correct"):
        op.add_column("hourly_answers", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "hourly_baselines",
        sa.Column("family", sa.String(63), primary_key=True),
        sa.Column("tables", sa.String(16), primary_key=True),
        sa.Column("hour", sa.Integer, primary_key=True),
        sa.Column("shard", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("frames", "payload_bytes", "baseline_bytes")),
        sqlite_with_rowid=False,
    )
