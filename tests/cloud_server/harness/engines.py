"""What a server can keep its state in: SQLite and a directory, or a real PostgreSQL and a real S3 store."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from tests.cloud_server.harness.postgresql import PostgreSQL
from tests.cloud_server.harness.seaweedfs import SeaweedFS


class Engine(ABC):
    """Where servers keep their state. Each data directory gets a state of its own, the same each time it is asked."""

    @abstractmethod
    def settings(self, data: Path) -> dict[str, Any]:
        """The settings of a server whose data directory this is."""


class Embedded(Engine):
    """Everything in the data directory."""

    def settings(self, data: Path) -> dict[str, Any]:
        """Nothing: it is the default."""
        return {}


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

    def share(self, data: Path, with_data: Path) -> None:
        """Give two data directories the same state, as replicas have it."""
        self.settings(with_data)
        self._names[data] = self._names[with_data]

    def close(self) -> None:
        """End what was started."""
        self.s3.kill()
        self.postgresql.close()
