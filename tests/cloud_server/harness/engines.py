"""What a server can keep its state in: SQLite and a directory, or a real PostgreSQL and a real S3 store."""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from cloud_server.storage.engine import FILE, postgresql_engine, sqlite_engine
from cloud_server.storage.migrating import migrate
from tests.cloud_server.harness.postgresql import PostgreSQL
from tests.cloud_server.harness.seaweedfs import SeaweedFS
from tests.cloud_server.harness.waiting import PATIENCE_SECONDS


class Engine(ABC):
    """Where servers keep their state. Each data directory gets a state of its own, the same each time it is asked."""

    @abstractmethod
    def settings(self, data: Path) -> dict[str, Any]:
        """The settings of a server whose data directory this is."""

    def prepare(self, data: Path) -> None:  # noqa: B027 (a server that finds nothing migrates)
        """Give a new data directory a database of the newest schema, where that is cheaper than to migrate."""


class Embedded(Engine):
    """Everything in the data directory."""

    def settings(self, data: Path) -> dict[str, Any]:
        """Nothing: it is the default."""
        return {}

    def prepare(self, data: Path) -> None:
        """Copy the file."""
        (data / FILE).write_bytes(_migrated_file())


class Given(Engine):
    """The state that a server of its own process was given by these settings."""

    def __init__(self, changes: Mapping[str, Any]) -> None:
        self._database = {name: value for name, value in changes.items() if name == "database_url"}

    def settings(self, data: Path) -> dict[str, Any]:
        """Where its database is."""
        return self._database


class Outgrown(Engine):
    """PostgreSQL and S3."""

    def __init__(self, directory: Path) -> None:
        self.s3 = SeaweedFS(directory / "s3")
        self.postgresql = PostgreSQL()
        self._names: dict[Path, str] = {}

    def settings(self, data: Path) -> dict[str, Any]:
        """A database, and a prefix of the bucket."""
        if data not in self._names:
            self._names[data] = f"server{len(self._names)}"
            self.postgresql.create(self._names[data])
        name = self._names[data]
        return {"database_url": self.postgresql.url(name)} | self.s3.settings(f"{name}/")

    def prepare(self, data: Path) -> None:
        """Copy the database, unless there is one already."""
        if data not in self._names:
            self._names[data] = f"server{len(self._names)}"
            self.postgresql.create(self._names[data], template=self._migrated)

    def share(self, data: Path, with_data: Path) -> None:
        """Give two data directories the same state, as replicas have it."""
        self.settings(with_data)
        self._names[data] = self._names[with_data]

    def close(self) -> None:
        """End what was started."""
        self.s3.kill()
        self.postgresql.close()

    @cached_property
    def _migrated(self) -> str:
        """The name of a database of the newest schema that nothing is connected to."""
        self.postgresql.create("migrated")
        connector = postgresql_engine(self.postgresql.url("migrated"), PATIENCE_SECONDS)
        migrate(connector)
        connector.dispose()
        return "migrated"


@cache
def _migrated_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        connector = sqlite_engine(path, PATIENCE_SECONDS)
        migrate(connector)
        connector.dispose()
        return path.read_bytes()
