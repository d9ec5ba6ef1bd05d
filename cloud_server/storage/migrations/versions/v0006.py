"""Assignments of single devices, and numbers that grow with the time: the table is made anew, with its rows."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Keep every assignment of a family."""
    op.execute("CREATE TABLE assignments_before AS SELECT family, seq, counter, assigned_at FROM assignments")
    op.drop_table("assignments")
    op.create_table(
        "assignments",
        sa.Column("family", sa.String(63), primary_key=True),
        sa.Column("seq", sa.BigInteger, sa.CheckConstraint("seq >= 1", name="seq"), primary_key=True),
        sa.Column("counter", sa.Integer),
        sa.Column("assigned_at", sa.Double, nullable=False),
        sa.Column("device_id", sa.Integer, sa.ForeignKey("devices.id"), index=True),
        sa.Column("kind", sa.String(10)),
        sa.Column("reason", sa.String(200)),
        sa.Column("ended_at", sa.Double),
    )
    op.execute(
        "INSERT INTO assignments (family, seq, counter, assigned_at) "
        "SELECT family, seq, counter, assigned_at FROM assignments_before"
    )
    op.drop_table("assignments_before")
