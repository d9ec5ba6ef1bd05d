"""What each family lists, for whoever lists all of them; and the online keys that a process lacks."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_files = sa.table("tuf_files", sa.column("name", sa.String), sa.column("data", sa.LargeBinary))
_families = sa.table("tuf_families", sa.column("family", sa.String), sa.column("listed", sa.Text))


def upgrade() -> None:
    """Add the columns, and note what each family lists by now."""
    op.add_column("replicas", sa.Column("missing_keys", sa.Text))
    op.add_column("tuf_families", sa.Column("listed", sa.Text))
    connection = op.get_bind()
    for family in connection.execute(sa.select(_families.c.family)).scalars().all():
        paths = "\n".join(_listed(connection, family))
        connection.execute(sa.update(_families).where(_families.c.family == family).values(listed=paths))


def _listed(connection: sa.Connection, family: str) -> list[str]:
    """The paths that a family's targets metadata list; of a damaged family, none."""
    try:
        timestamp = _signed(connection, f"{family}/timestamp.json")
        snapshot = _signed(connection, f"{family}/{timestamp['meta']['snapshot.json']['version']}.snapshot.json")
        targets = _signed(connection, f"{family}/{snapshot['meta']['targets.json']['version']}.targets.json")
        return sorted(targets["targets"])
    except (sa.exc.NoResultFound, ValueError, KeyError, TypeError):
        return []


def _signed(connection: sa.Connection, name: str) -> Any:
    data = connection.execute(sa.select(_files.c.data).where(_files.c.name == name)).scalar_one()
    return json.loads(data)["signed"]
