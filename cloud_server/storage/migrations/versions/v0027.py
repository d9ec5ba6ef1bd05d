"""Events, and how far each webhook was told of them and of the audit."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Make the tables, without events."""
    op.create_table(
        "events",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("once", sa.String(200), unique=True),
    )
    head = op.create_table(
        "event_head",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "seq": 0}])
    op.create_table(
        "webhooks",
        sa.Column("endpoint", sa.String(64), primary_key=True),
        sa.Column("audit_seq", sa.BigInteger, nullable=False),
        sa.Column("event_seq", sa.BigInteger, nullable=False),
        sa.Column("delivered_at", sa.Double),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("fault", sa.String(200)),
    )
