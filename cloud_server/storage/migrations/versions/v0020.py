"""When a rollout was led last, so that time in which nobody led it does not count."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add the column."""
    op.add_column("rollouts", sa.Column("led_at", sa.Double()))
