"""Indexes by which a rollout's labels and companions are found among all."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add the indexes."""
    op.create_index("ix_labels_labelled_at", "labels", ["labelled_at"])
    is_companion = sa.text("kind IS NOT NULL")
    op.create_index(
        "results_of_companions",
        "results",
        ["received_at_ns"],
        sqlite_where=is_companion,
        postgresql_where=is_companion,
    )
