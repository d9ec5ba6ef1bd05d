"""One revision of the database alone, for tests of what it does: those that came after it are there already."""

from types import ModuleType

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection


def revise(connection: Connection, revision: ModuleType) -> None:
    """Do what a revision does, on tables that its test has brought to what they were before."""
    with Operations.context(MigrationContext.configure(connection)):
        revision.upgrade()
