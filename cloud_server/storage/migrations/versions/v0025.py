"""Who reviews which frame, and what that person did last."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Make the table, empty."""
    op.create_table(
        "reviews",
        sa.Column("device_id", sa.Integer, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("operator", sa.String(64), nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.Column("did", sa.String(8)),
        sa.Column("did_at", sa.Double),
        sa.Column("previous", sa.Text),
        sa.Column("was_undone", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id", "sequence"], ["results.device_id", "results.sequence"], ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("reviews_by_operator", "reviews", ["operator", "did_at"])
