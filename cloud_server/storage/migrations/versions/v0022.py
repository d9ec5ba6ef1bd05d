"""How many devices had which outcome of a rollout whose rows of devices were deleted for their age."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Add the column; it is empty as long as the rows are there."""
    op.add_column("rollouts", sa.Column("outcomes", sa.Text))
