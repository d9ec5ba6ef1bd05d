"""How the signals of each version stand, as each server process sees them."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Make the table, empty."""
    op.create_table(
        "drift_signals",
        sa.Column("replica", sa.String(16), primary_key=True),
        sa.Column("family", sa.String(63), primary_key=True),
        sa.Column("counter", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("signal", sa.String(64), primary_key=True),
        sa.Column("score", sa.Double),
        sa.Column("frames", sa.BigInteger, nullable=False),
        sa.Column("alarms", sa.Integer, nullable=False),
        sa.Column("since", sa.Double),
        sa.Column("saved_at", sa.Double, nullable=False, index=True),
    )
