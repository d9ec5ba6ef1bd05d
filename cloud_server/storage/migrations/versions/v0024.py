"""What single devices sent, day by day."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Make the table, empty: what was sent before is not known by device."""
    op.create_table(
        "device_days",
        sa.Column("device_id", sa.Integer, sa.ForeignKey("devices.id"), primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, index=True),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("frames", "payload_bytes", "http_bytes", "answer_bytes")
        ),
        sqlite_with_rowid=False,
    )
