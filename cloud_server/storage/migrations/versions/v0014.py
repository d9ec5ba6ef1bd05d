"""From which token a token was rotated, so that revoking the one revokes the other."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the column, and fill it from the audit, which has every rotation."""
    op.add_column("operator_tokens", sa.Column("rotated_from", sa.String(8)))
    op.create_index("ix_operator_tokens_rotated_from", "operator_tokens", ["rotated_from"])
    tokens = sa.table("operator_tokens", sa.column("id"), sa.column("rotated_from"))
    audit = sa.table("audit", sa.column("action"), sa.column("before"), sa.column("after"))
    connection = op.get_bind()
    rotations = connection.execute(sa.select(audit.c.before, audit.c.after).where(audit.c.action == "token.rotate"))
    for before, after in rotations.all():
        is_new = tokens.c.id == json.loads(after)["id"]
        connection.execute(sa.update(tokens).where(is_new).values(rotated_from=json.loads(before)["id"]))
