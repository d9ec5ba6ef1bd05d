"""Bringing a database to this program's schema, by the revisions in `migrations/`.

Several processes may start at once: on PostgreSQL one of them migrates, under a lock in the database, while the
others wait; on SQLite the data directory's lock keeps the others out. A migration is one transaction on both.
"""

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from cloud_server.errors import SchemaError, StorageError
from cloud_server.storage.schema import metadata

LOCK_NUMBER = 0x64637477  # "dctw"
LOCK_MAX_SECONDS = 60
STATEMENT_MAX_SECONDS = 600


def migrate(engine: Engine) -> str:
    """Make or change tables until they are as `schema` has them; returns the revision. Safe to repeat.

    Raises:
        SchemaError: the database was made by a newer program, or not by `migrate`.
        StorageError: the database does not answer.
    """
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                _lock(connection)
            return _upgrade(connection)
    except DBAPIError as error:
        raise StorageError(f"{engine.url.database}: {error.orig}") from error


def _lock(connection: Connection) -> None:
    for setting, seconds in (("lock_timeout", LOCK_MAX_SECONDS), ("statement_timeout", STATEMENT_MAX_SECONDS)):
        connection.execute(text(f"SET LOCAL {setting} = '{seconds}s'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK_NUMBER})


def _upgrade(connection: Connection) -> str:
    config = Config()
    config.set_main_option("script_location", "cloud_server.storage:migrations")
    config.attributes["connection"] = connection
    script = ScriptDirectory.from_config(config)
    head = script.get_current_head()
    assert head is not None
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None and set(inspect(connection).get_table_names()) & set(metadata.tables):
        raise SchemaError(
            "the database holds tables of a dctwire-server from before its first release; start a new one"
        )
    if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
        raise SchemaError(f"the database is at revision {current}, {head} is this program's: run the newer one")
    if current != head:
        command.upgrade(config, "head")
    return head
