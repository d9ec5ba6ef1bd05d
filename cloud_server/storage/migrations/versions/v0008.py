"""One TUF repository a family; what was signed for the one before is kept until it is signed anew."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table, and remove the old files but the newest targets metadata, which `dctwire trust renew` reads."""
    op.create_table(
        "tuf_families",
        sa.Column("family", sa.String(63), primary_key=True),
        sa.Column("timestamp_version", sa.BigInteger, nullable=False),
        sa.Column("renew_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("targets_expire_at", sa.Double, nullable=False),
    )
    op.create_index("ix_tuf_families_renew_at", "tuf_families", ["renew_at"])
    files = sa.table("tuf_files", sa.column("name", sa.String), sa.column("data", sa.LargeBinary))
    connection = op.get_bind()
    old = connection.execute(sa.select(files).where(files.c.name.like("metadata/%.targets.json"))).all()
    newest = max(old, key=_version, default=None)
    connection.execute(sa.delete(files))
    if newest is not None:
        connection.execute(sa.insert(files), {"name": "old.targets.json", "data": newest.data})


def _version(row: "sa.Row[tuple[str, bytes]]") -> int:
    return int(json.loads(row.data)["signed"]["version"])
