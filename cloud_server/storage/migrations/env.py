"""What Alembic runs: the revisions, on the connection and in the transaction of whoever asked."""

from alembic import context

from cloud_server.storage.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
