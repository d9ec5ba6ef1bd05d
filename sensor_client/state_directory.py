"""The directory of a device: its identity, its trust, its spool and its bundles."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from sensor_client.kept_twice import KeptTwice
from shared import durable
from shared.errors import DctwireError
from shared.wire import DeviceSecret, Enrolment

LATEST_SECONDS = 2.0**36
"""A time of day that the calendar still has."""

_SECRET: TypeAdapter[str] = TypeAdapter(DeviceSecret)


class StateError(DctwireError):
    """The state directory is missing, damaged, or in use by another process."""


class Identity(BaseModel):
    """Who this device is, and to which server. Full of secrets: it stands in files of mode 0600 and in no log.

    Args:
        claim_code, secret: by which the server knows the device again; None in files of earlier programs.
        authorities: certificates (PEM) that alone may vouch for the server; None trusts the usual ones.
        has_counted: whether frames may have been given numbers: then a new spool does not begin at 1.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    server_url: str
    enrolment: Enrolment
    claim_code: str | None = None
    secret: DeviceSecret | None = None
    authorities: str | None = None
    has_counted: bool = True

    def __repr__(self) -> str:
        return f"Identity({self.server_url}, {self.enrolment.device_id})"

    __str__ = __repr__


@dataclass(frozen=True)
class StateDirectory:
    """The paths of its files. `identity.json` is written last when a device enrols: with it the enrolment counts.

    Identity and root are kept twice, and the secret stands in the identity, too: any one file may go.
    """

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
    def refused_file(self) -> Path:
        return self.path / "refused-since"

    @property
    def spool_file(self) -> Path:
        return self.path / "spool.sqlite3"

    @property
    def source_memory(self) -> Path:
        """What the picture source must know after a restart."""
        return self.path / "source"

    @property
    def source_report_file(self) -> Path:
        """How the picture source does."""
        return self.path / "source-report.json"

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
    def line_file(self) -> Path:
        return self.path / "line.json"

    @property
    def traffic_file(self) -> Path:
        return self.path / "traffic.json"

    @property
    def settings_file(self) -> Path:
        return self.path / "settings.json"

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
        kept = self._identities()
        data = kept.read()
        if data is not None:
            return Identity.model_validate_json(data)
        if kept.is_there:
            raise StateError(
                f"{self.identity_file} cannot be read, nor can its copy; enrol again: "
                "the claim code that this device used gives it the same identity"
            )
        return None

    def repair(self) -> None:
        """Write anew what is damaged and can be told from the rest, and keep everything for its owner only.

        Raises:
            OSError: the disk is full, read-only or broken.
        """
        for path in (self.path, *self.path.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o700 if path.is_dir() else 0o600)
        self._identities().heal()
        self._roots().heal()
        data = self._identities().read()
        identity = None if data is None else Identity.model_validate_json(data)
        if identity is not None and identity.secret is not None:
            self.secret(fresh=identity.secret)

    def secret(self, fresh: str) -> str:
        """The secret by which the server knows this device again, on disk once this returns.

        Args:
            fresh: a new random one, kept and returned where there is none yet, or a damaged one.

        Raises:
            OSError: it cannot be written.
        """
        known = self.known_secret()
        if known is not None:
            return known
        durable.write_file(self.secret_file, fresh.encode(), mode=0o600)
        return fresh

    def known_secret(self) -> str | None:
        """The secret that is on disk; None where there is none, or a damaged one."""
        try:
            return _SECRET.validate_python(self.secret_file.read_text("ascii"))
        except (OSError, ValueError):
            return None

    def root(self) -> bytes:
        """The TUF root this device was shipped with.

        Raises:
            StateError: it is gone.
        """
        data = self._roots().read()
        if data is None:
            raise StateError(f"{self.root_file} and its copy are gone or damaged: put the server's root.json there")
        return data

    def keep_root(self, root: bytes) -> None:
        """Trust `root` from now on.

        Raises:
            OSError: it cannot be written.
        """
        self._roots().write(root)

    def enrol(self, identity: Identity) -> None:
        """Write the identity.

        Raises:
            OSError: it cannot be written.
        """
        self._identities().write(identity.model_dump_json(indent=1).encode())

    @property
    def has_been_used(self) -> bool:
        """Whether there is a trace of frames or bundles of an earlier life."""
        return any(path.exists() for path in (self.spool_file, self.update_state_file, self.slots))

    def refused_since(self) -> float | None:
        """Since when the server refuses this device's token, in seconds since 1970; None where it does not.

        What is no time, since the file is damaged, says that it does: since 1970.
        """
        try:
            since = float(self.refused_file.read_text("ascii"))
        except (OSError, ValueError):
            return None
        return since if 0 <= since <= LATEST_SECONDS else 0.0

    def note_refused(self, since: float | None) -> None:
        """Keep since when the server refuses the token; None: it does not.

        Raises:
            OSError: it cannot be written.
        """
        if since is None:
            self.refused_file.unlink(missing_ok=True)
        else:
            durable.write_file(self.refused_file, f"{since:.0f}".encode(), mode=0o600)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Lock the directory against every other process until the end of the block.

        Raises:
            StateError: another one does.
            OSError: the file that is locked cannot be made.
        """
        durable.make_way(self.path / "lock")
        with (self.path / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise StateError(f"another dctwire-sensor works in {self.path}") from error
            yield

    def _identities(self) -> KeptTwice:
        return KeptTwice(self.identity_file, _is_identity)

    def _roots(self) -> KeptTwice:
        return KeptTwice(self.root_file, _is_json_object)


def _is_identity(data: bytes) -> bool:
    try:
        Identity.model_validate_json(data)
    except ValidationError:
        return False
    return True


def _is_json_object(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except (ValueError, RecursionError):
        return False
