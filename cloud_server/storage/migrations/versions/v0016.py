"""The floor of each family, as its targets metadata say it."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add the column, and read it from the current metadata of the families that there are."""
    op.add_column("tuf_families", sa.Column("floor", sa.BigInteger, nullable=False, server_default="0"))
    connection = op.get_bind()
    families = connection.execute(sa.text("SELECT family FROM tuf_families")).scalars().all()
    set_floor = sa.text("UPDATE tuf_families SET floor = :floor WHERE family = :family")
    for family in families:
        connection.execute(set_floor, {"family": family, "floor": _floor(connection, family)})


def _floor(connection: sa.Connection, family: str) -> int:
    """What a family's newest targets metadata say; 0 where they cannot be read, which the server's log tells."""
    try:
        snapshot = _signed(connection, f"{family}/timestamp.json")["meta"]["snapshot.json"]["version"]
        targets = _signed(connection, f"{family}/{snapshot}.snapshot.json")["meta"]["targets.json"]["version"]
        return int(_signed(connection, f"{family}/{targets}.targets.json").get("min_counter", 0))
    except (TypeError, ValueError, KeyError):
        return 0


def _signed(connection: sa.Connection, name: str) -> Any:
    found = connection.execute(sa.text("SELECT data FROM tuf_files WHERE name = :name"), {"name": name})
    return json.loads(bytes(found.scalar_one_or_none() or b""))["signed"]
