"""The revisions lead to exactly what the schema says, once, however many processes start; nothing else is touched."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine as Connector
from sqlalchemy import inspect, text
from typer.testing import CliRunner

from cloud_server.command import cli
from cloud_server.errors import SchemaError
from cloud_server.open_storage import engine_of
from cloud_server.storage.migrating import migrate
from cloud_server.storage.schema import metadata
from tests.cloud_server.harness.engines import Engine, Outgrown
from tests.cloud_server.harness.server import settings


@pytest.fixture
def connector(engine: Engine, tmp_path: Path) -> Iterator[Connector]:
    """An empty database."""
    connector = engine_of(settings(tmp_path, **engine.settings(tmp_path)))
    yield connector
    connector.dispose()


def test_the_revisions_make_what_the_schema_says(connector: Connector) -> None:
    migrate(connector)
    with connector.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        assert set(inspect(connection).get_table_names()) == {"alembic_version", *metadata.tables}


def test_migrating_again_changes_nothing(connector: Connector) -> None:
    assert migrate(connector) == migrate(connector)


def test_a_database_of_a_newer_program_is_refused(connector: Connector) -> None:
    migrate(connector)
    with connector.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match="revision 9999"):
        migrate(connector)


def test_tables_that_no_revision_made_are_refused_and_left_alone(connector: Connector) -> None:
    with connector.begin() as connection:
        connection.execute(text("CREATE TABLE devices (id INTEGER)"))
    with pytest.raises(SchemaError, match="before its first release"):
        migrate(connector)
    assert inspect(connector).get_table_names() == ["devices"]


def test_processes_that_start_at_once_migrate_once(outgrown: Outgrown, tmp_path: Path) -> None:
    """With SQLite, the data directory's lock lets one process in."""
    given = settings(tmp_path, **outgrown.settings(tmp_path))

    def start(_: int) -> str:
        connector = engine_of(given)
        try:
            return migrate(connector)
        finally:
            connector.dispose()

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(start, range(4)))) == 1


def test_an_operator_can_migrate_before_the_server_starts(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["migrate", "--data", str(tmp_path)])
    assert (result.exit_code, result.output) == (0, "The database is at revision 0030.\n")
    assert (tmp_path / "dctwire.sqlite3").exists()
