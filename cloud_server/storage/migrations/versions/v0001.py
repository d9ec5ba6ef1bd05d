"""The schema of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "claims",
        sa.Column("code_sha256", sa.LargeBinary(32), primary_key=True),
        sa.Column("family", sa.String(63), nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("used_at", sa.Double),
    )
    op.create_table(
        "devices",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("public_id", sa.String(16), nullable=False, unique=True),
        sa.Column("family", sa.String(63), nullable=False),
        sa.Column("token_sha256", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("enrolled_at", sa.Double, nullable=False),
        sa.Column("last_seen_at", sa.Double),
        sa.Column("last_tables", sa.String(16)),
    )
    op.create_table(
        "bundles",
        sa.Column("family", sa.String(63), primary_key=True),
        sa.Column("counter", sa.Integer, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("registered_at", sa.Double, nullable=False),
    )
    op.create_table(
        "fallbacks",
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column("family", sa.String(63), nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("registered_at", sa.Double, nullable=False),
    )
    op.create_table(
        "tuf_files",
        sa.Column("name", sa.String(256), primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "assignments",
        sa.Column("family", sa.String(63), primary_key=True),
        sa.Column("seq", sa.Integer, sa.CheckConstraint("seq >= 1", name="seq"), primary_key=True),
        sa.Column("counter", sa.Integer, nullable=False),
        sa.Column("assigned_at", sa.Double, nullable=False),
    )
    op.create_table(
        "results",
        sa.Column("device_id", sa.Integer, sa.ForeignKey("devices.id"), primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("label", sa.String, nullable=False),
        sa.Column("confidence", sa.Double, nullable=False),
        sa.Column("model", sa.String(80), nullable=False),
        sa.Column("match", sa.String(8), nullable=False),
        sa.Column("tables", sa.String(16), nullable=False),
        sa.Column("received_at_ns", sa.BigInteger, nullable=False, index=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "labels",
        sa.Column("device_id", sa.Integer, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("label", sa.String(128), nullable=False),
        sa.Column("source", sa.String(8), nullable=False),
        sa.Column("authority", sa.Integer, nullable=False),
        sa.Column("is_correct", sa.Boolean, nullable=False),
        sa.Column("is_foreign", sa.Boolean, nullable=False),
        sa.Column("labelled_at", sa.Double, nullable=False),
        sa.Column("labelled_by", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id", "sequence"], ["results.device_id", "results.sequence"], ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sample_files",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("sweep_at", sa.Double, index=True),
        sa.Column("is_doomed", sa.Boolean, nullable=False),
    )
    op.create_table(
        "samples",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("device_id", sa.Integer, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("family", sa.String(63), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("sha256", sa.String(64), sa.ForeignKey("sample_files.sha256"), nullable=False, index=True),
        sa.Column("stored_at", sa.Double, nullable=False, index=True),
        sa.ForeignKeyConstraint(["device_id", "sequence"], ["results.device_id", "results.sequence"]),
        sa.UniqueConstraint("device_id", "sequence"),
    )
    op.create_index("samples_by_reason", "samples", ["family", "reason", "stored_at"])
    op.create_table(
        "replicas",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("seen_at", sa.Double, nullable=False),
        sa.Column("serves", sa.Text, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("holder", sa.String(16), nullable=False),
        sa.Column("until", sa.Double, nullable=False),
    )
    op.create_table(
        "spending",
        sa.Column("device_id", sa.Integer, sa.ForeignKey("devices.id"), primary_key=True),
        sa.Column("frames", sa.BigInteger, nullable=False),
    )
