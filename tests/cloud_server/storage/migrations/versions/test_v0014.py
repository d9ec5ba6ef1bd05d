"""A database from before tokens knew from which they were rotated: the audit tells."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from cloud_server.open_storage import engine_of
from cloud_server.storage.migrating import migrate
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.server import settings

TOKEN = (
    "INSERT INTO operator_tokens (id, operator, sha256, created_at) VALUES (:id, 'ada', CAST(:sha256 AS {binary}), 0)"
)
ROW = """INSERT INTO audit (seq, at_ms, operator, role, address, request_id, action, subject,
before, after, previous, hash)
VALUES (:seq, 0, 'ada', 'viewer', '', '', :action, :subject, :before, :after, '', '')"""


def make_old(connection: Connection) -> None:
    """The tables of then, with three tokens: the second was rotated from the first, the third was made."""
    config = Config()
    config.set_main_option("script_location", "cloud_server.storage:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "0013")
    connection.execute(text("INSERT INTO operators (name, role, created_at) VALUES ('ada', 'viewer', 0)"))
    binary = "BYTEA" if connection.dialect.name == "postgresql" else "BLOB"
    for name in ("first", "second", "third"):
        connection.execute(text(TOKEN.format(binary=binary)), {"id": name, "sha256": name.encode()})
    facts = ['{"id": "' + name + '"}' for name in ("first", "second", "third")]
    for seq, (action, before, after) in enumerate(
        [("token.create", None, facts[0]), ("token.rotate", facts[0], facts[1]), ("token.create", None, facts[2])], 1
    ):
        row = {"seq": seq, "action": action, "subject": "ada", "before": before, "after": after}
        connection.execute(text(ROW), row)


def test_a_token_that_was_rotated_before_knows_from_which(engine: Engine, tmp_path: Path) -> None:
    connector = engine_of(settings(tmp_path, **engine.settings(tmp_path)))
    with connector.begin() as connection:
        make_old(connection)
    migrate(connector)
    with connector.begin() as connection:
        known = connection.execute(text("SELECT id, rotated_from FROM operator_tokens")).all()
    connector.dispose()
    assert {row.id: row.rotated_from for row in known} == {"first": None, "second": "first", "third": None}
