"""Rollouts, which devices they have reached, and what was counted and found of those."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Make the tables."""
    op.create_table("rollouts", *_rollout_columns())
    for name in ("family", "created_at"):
        op.create_index(f"ix_rollouts_{name}", "rollouts", [name])
    _create(
        "rollout_devices",
        _device(),
        sa.Column("exposed_at", sa.Double, nullable=False),
        sa.Column("outcome", sa.String(12)),
        sa.Column("settled_at", sa.Double),
        sa.Column("proofs", sa.Integer, nullable=False),
    )
    _create(
        "rollout_counts",
        _device(),
        sa.Column("arm", sa.String(3), primary_key=True),
        *_sums("frames", "bytes", "fallback", "refused"),
        sa.Column("encode_seconds", sa.Double),
    )
    for table in ("rollout_devices", "rollout_counts"):
        op.create_index(f"ix_{table}_device_id", table, ["device_id"])
    _create(
        "rollout_verdicts",
        sa.Column("stage", sa.Integer, primary_key=True),
        sa.Column("look", sa.Integer, primary_key=True),
        sa.Column("gate", sa.String(16), primary_key=True),
        sa.Column("at", sa.Double, primary_key=True),
        sa.Column("opinion", sa.String(4), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )


def _rollout_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.String(8), primary_key=True),
        sa.Column("family", sa.String(63), nullable=False),
        sa.Column("old_counter", sa.Integer),
        sa.Column("old_seq", sa.BigInteger),
        sa.Column("counter", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("reaches", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("stage", sa.Integer, nullable=False),
        sa.Column("paused_why", sa.String(16)),
        sa.Column("state_since", sa.Double, nullable=False),
        sa.Column("stage_since", sa.Double, nullable=False),
        sa.Column("looks", sa.Integer, nullable=False),
        sa.Column("starts_at", sa.Double),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("ended_at", sa.Double),
        sa.Column("note", sa.String(500)),
        sa.Column("active_family", sa.String(63), unique=True),
    ]


def _create(table: str, *columns: sa.Column[object]) -> None:
    rollout: sa.Column[object] = sa.Column("rollout", sa.String(8), sa.ForeignKey("rollouts.id"), primary_key=True)
    op.create_table(table, rollout, *columns, sqlite_with_rowid=False)


def _device() -> sa.Column[object]:
    return sa.Column("device_id", sa.Integer, primary_key=True)


def _sums(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]
