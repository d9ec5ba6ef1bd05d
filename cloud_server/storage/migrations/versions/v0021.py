"""Which fallback of a family is released: so far, whichever was published last."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

_RELEASE_THE_NEWEST = """
INSERT INTO released_fallbacks (family, name, released_at)
SELECT family, name, registered_at FROM fallbacks AS this
WHERE NOT EXISTS (
    SELECT 1 FROM fallbacks AS later
    WHERE later.family = this.family
    AND (later.registered_at > this.registered_at
         OR (later.registered_at = this.registered_at AND later.name > this.name))
)
"""


def upgrade() -> None:
    """Make the table, so that each family is answered by the same fallback as before."""
    op.create_table(
        "released_fallbacks",
        sa.Column("family", sa.String(63), primary_key=True),
        sa.Column("name", sa.String(80), sa.ForeignKey("fallbacks.name"), nullable=False),
        sa.Column("released_at", sa.Double, nullable=False),
    )
    op.execute(_RELEASE_THE_NEWEST)
