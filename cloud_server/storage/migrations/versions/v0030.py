"""The record of trainings."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Make the table, empty."""
    op.create_table(
        "training_runs",
        sa.Column("id", sa.String(8), primary_key=True),
        sa.Column("family", sa.String(63), nullable=False),
        sa.Column("trigger", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(500)),
        sa.Column("asked_by", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("worker", sa.String(64)),
        sa.Column("lease_until", sa.Double),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("started_at", sa.Double),
        sa.Column("stage", sa.String(32)),
        sa.Column("share", sa.Double),
        sa.Column("told_at", sa.Double),
        sa.Column("ended_at", sa.Double),
        sa.Column("outcome", sa.String(16)),
        sa.Column("counter", sa.BigInteger),
        sa.Column("rollout", sa.String(8)),
        sa.Column("data_until", sa.Double),
        sa.Column("document", sa.Text),
        sa.Column("open_family", sa.String(63), unique=True),
    )
    op.create_index("training_runs_by_family", "training_runs", ["family", "created_at"])
    op.create_index("training_runs_by_end", "training_runs", ["family", "outcome", "ended_at"])
