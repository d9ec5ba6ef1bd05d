"""Answers remember a digest of their frame's scan, so that another frame under the same number is noticed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; answers from before have none, and are not compared."""
    op.add_column("results", sa.Column("scan_digest", sa.BigInteger))
