"""Devices are known by a secret of their own, so that one whose enrolment was not answered can ask again."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; devices from before have made no secret, and their claim codes stay used."""
    op.add_column("devices", sa.Column("claim_sha256", sa.LargeBinary(32)))
    op.add_column("devices", sa.Column("secret_sha256", sa.LargeBinary(32)))
    op.create_index("ix_devices_claim_sha256", "devices", ["claim_sha256"], unique=True)
