"""A database from before fallbacks were released: in each family the newest one is, so that no answer changes."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from cloud_server.open_storage import engine_of
from cloud_server.storage.migrating import migrate
from cloud_server.storage.rows.published import released
from tests.cloud_server.harness.engines import Engine
from tests.cloud_server.harness.server import settings

ROW = "INSERT INTO fallbacks (name, family, data, registered_at) VALUES (:name, :family, CAST('' AS {binary}), :at)"


def make_old(connection: Connection) -> None:
    """The tables of then, and fallbacks of three families."""
    config = Config()
    config.set_main_option("script_location", "cloud_server.storage:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "0020")
    binary = "BYTEA" if connection.dialect.name == "postgresql" else "BLOB"
    for family, name, at in (("a", "x", 2), ("a", "y", 1), ("b", "x", 3), ("b", "y", 3), ("c", "x", 0)):
        row = {"name": f"{family}/{name}", "family": family, "at": at}
        connection.execute(text(ROW.format(binary=binary)), row)


def test_in_each_family_the_fallback_that_answered_is_released(engine: Engine, tmp_path: Path) -> None:
    connector = engine_of(settings(tmp_path, **engine.settings(tmp_path)))
    with connector.begin() as connection:
        make_old(connection)
    migrate(connector)
    with connector.begin() as connection:
        found = released(connection)
    connector.dispose()
    assert found == {"a": "a/x", "b": "b/y", "c": "c/x"}
