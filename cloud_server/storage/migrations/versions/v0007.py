"""What devices tell of themselves; devices that are forgotten or look like clones; numbers whose answers expired."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add columns that are empty for devices from before, and make the tables."""
    for name in ("forgotten_at", "suspected_clone_at"):
        op.add_column("devices", sa.Column(name, sa.Double))
    op.add_column("devices", sa.Column("suspected_clone_why", sa.String(16)))
    op.add_column("devices", sa.Column("expired_sequence", sa.BigInteger))
    op.create_table(
        "heartbeats",
        sa.Column("device_id", sa.Integer, _device("heartbeats"), primary_key=True),
        sa.Column("received_at", sa.Double, nullable=False),
        sa.Column("program", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(16)),
        sa.Column("is_stale", sa.Boolean, nullable=False),
        sa.Column("boots", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "assignment_events",
        sa.Column(
            "device_id",
            sa.Integer,
            _device("assignment_events"),
            primary_key=True,
        ),
        sa.Column("seq", sa.BigInteger, primary_key=True),
        sa.Column("event", sa.String(16), primary_key=True),
        sa.Column("target", sa.String(80), primary_key=True),
        sa.Column("code", sa.String(64)),
        sa.Column("reason", sa.String(500)),
        sa.Column("received_at", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_assignment_events_received_at", "assignment_events", ["received_at"])


def _device(table: str) -> sa.ForeignKey:
    return sa.ForeignKey("devices.id", name=f"fk_{table}_device_id")
