"""Whether the data of a forgotten device are gone."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the column; the data of devices that are forgotten already are looked for."""
    op.add_column("devices", sa.Column("emptied_at", sa.Double))
    op.create_index("ix_devices_forgotten_at", "devices", ["forgotten_at"])
