"""Which answers are those of companions, and of which frame's."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the columns; they are empty of ordinary frames, and so of all that were answered before."""
    op.add_column("results", sa.Column("kind", sa.String(8)))
    op.add_column("results", sa.Column("companion_of", sa.BigInteger))
