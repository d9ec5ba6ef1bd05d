"""Settings of devices from afar, and diagnostics that were asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Make both tables, empty."""
    op.create_table(
        "device_settings",
        sa.Column("family", sa.String(63), primary_key=True),
        sa.Column("counter", sa.Integer, primary_key=True),
        sa.Column("tag", sa.String(64)),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("set_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
    )
    op.create_table(
        "diagnostics",
        sa.Column("device_id", sa.Integer, sa.ForeignKey("devices.id"), primary_key=True),
        sa.Column("request", sa.String(16), primary_key=True),
        sa.Column("asked_at", sa.Double, nullable=False, index=True),
        sa.Column("answered_at", sa.Double),
        sa.Column("archive", sa.LargeBinary),
        sqlite_with_rowid=False,
    )
