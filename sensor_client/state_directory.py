"""The directory of a device: its identity, its trust, its spool and its bundles."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from sensor_client import durable
from shared.errors import DctwireError
from shared.wire import DeviceSecret, Enrolment

_SECRET: TypeAdapter[str] = TypeAdapter(DeviceSecret)


class StateError(DctwireError):
    """The state directory is missing, damaged, or in use by another process."""


class Identity(BaseModel):
    """Who this device is, and to which server. `token` is a secret: it stands in a file of mode 0600 and in no log."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    server_url: str
    enrolment: Enrolment

    def __repr__(self) -> str:
        return f"Identity({self.server_url}, {self.enrolment.device_id})"

    __str__ = __repr__


@dataclass(frozen=True)
class StateDirectory:
    """The paths of its files. `identity.json` is written last when a device enrols: with it the enrolment counts."""

    path: Path

    @property
    def identity_file(self) -> Path:
        return self.path / "identity.json"

    @property
    def secret_file(self) -> Path:
        return self.path / "secret"

    @property
    def root_file(self) -> Path:
        return self.path / "root.json"

    @property
    def spool_file(self) -> Path:
        return self.path / "spool.sqlite3"

    @property
    def slots(self) -> Path:
        return self.path / "bundles"

    @property
    def update_state_file(self) -> Path:
        """The file of the update state; one that an earlier program left under its own name is taken over first."""
        path = self.path / "update-state.json"
        earlier = self.path / "settled.json"
        if earlier.exists() and not path.exists():
            earlier.replace(path)
        return path

    @property
    def trust(self) -> Path:
        return self.path / "trust"

    def make(self) -> None:
        """Make the directory, for its owner only.

        Raises:
            StateError: it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StateError(f"{self.path}: {error}") from error
        if not os.access(self.path, os.W_OK):
            raise StateError(f"{self.path} cannot be written")

    def identity(self) -> Identity | None:
        """Who this device is; None before it has enrolled.

        Raises:
            StateError: the file is damaged.
        """
        try:
            return Identity.model_validate_json(self.identity_file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise StateError(
                f"{self.identity_file} cannot be read ({type(error).__name__}); remove it and enrol again; "
                "the claim code that this device used gives it the same identity"
            ) from error

    def secret(self, fresh: str) -> str:
        """The secret by which the server knows this device again, on disk once this returns.

        Args:
            fresh: a new random one, kept and returned where there is none yet, or a damaged one.

        Raises:
            OSError: it cannot be read or written.
        """
        try:
            return _SECRET.validate_python(self.secret_file.read_text("ascii"))
        except (FileNotFoundError, ValueError):
            durable.write_file(self.secret_file, fresh.encode(), mode=0o600)
            return fresh

    def root(self) -> bytes:
        """The TUF root this device was shipped with.

        Raises:
            StateError: it is gone.
        """
        try:
            return self.root_file.read_bytes()
        except OSError as error:
            raise StateError(f"{self.root_file}: {error}") from error

    def enrol(self, identity: Identity) -> None:
        """Write the identity, in one atomic step."""
        durable.write_file(self.identity_file, identity.model_dump_json(indent=1).encode(), mode=0o600)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Lock the directory against every other process until the end of the block.

        Raises:
            StateError: another one does.
        """
        with (self.path / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise StateError(f"another dctwire-sensor works in {self.path}") from error
            yield
