"""Devices can be revoked."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column; no device from before is revoked."""
    op.add_column("devices", sa.Column("revoked_at", sa.Double))
    op.create_index("ix_devices_revoked_at", "devices", ["revoked_at"])
