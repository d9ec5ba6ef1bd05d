"""Devices have names and tags."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Devices from before have neither."""
    op.add_column("devices", sa.Column("name", sa.String(64)))
    op.create_table(
        "device_tags",
        sa.Column(
            "device_id", sa.Integer, sa.ForeignKey("devices.id", name="fk_device_tags_device_id"), primary_key=True
        ),
        sa.Column("tag", sa.String(64), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_device_tags_tag", "device_tags", ["tag"])
