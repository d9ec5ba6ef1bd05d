"""Which bundle a device has on trial, and since when it tells so."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the columns; they are empty until a device's next heartbeat, within six hours."""
    op.add_column("heartbeats", sa.Column("trial_target", sa.String(80)))
    op.add_column("heartbeats", sa.Column("trial_since", sa.Double))
