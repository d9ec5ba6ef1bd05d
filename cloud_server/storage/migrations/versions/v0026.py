"""What the console logs operators in with: passwords, one-time codes, sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Make the three tables, empty."""
    op.create_table(
        "operator_passwords",
        sa.Column("operator", sa.String(64), sa.ForeignKey("operators.name"), primary_key=True),
        sa.Column("hash", sa.String(200), nullable=False),
        sa.Column("set_at", sa.Double, nullable=False),
    )
    op.create_table(
        "login_codes",
        sa.Column("sha256", sa.LargeBinary(32), primary_key=True),
        sa.Column("operator", sa.String(64), sa.ForeignKey("operators.name"), nullable=False, index=True),
        sa.Column("expires_at", sa.Double, nullable=False, index=True),
        sa.Column("via_token", sa.String(9)),
    )
    op.create_table(
        "console_sessions",
        sa.Column("sha256", sa.LargeBinary(32), primary_key=True),
        sa.Column("id", sa.String(9), nullable=False, unique=True),
        sa.Column("operator", sa.String(64), sa.ForeignKey("operators.name"), nullable=False, index=True),
        sa.Column("begun_at", sa.Double, nullable=False, index=True),
        sa.Column("used_at", sa.Double, nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("browser", sa.String(200), nullable=False),
        sa.Column("via_token", sa.String(9), index=True),
    )
