"""What is known of the time, so that a clock that has jumped deletes nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the table; it is empty until a process has kept house."""
    op.create_table(
        "known_time",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("doubted", sa.Double),
        sa.Column("held_seconds", sa.Double, nullable=False),
    )
