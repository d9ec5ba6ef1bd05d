"""The publishing side of TUF: signed metadata, and a directory that devices fetch it from.

Root and targets are signed offline, by `create_root`, `create_targets` and `add_target`. A `Repository` is the
server's directory; it accepts targets that root's targets key signed and answers for them with the online keys.
Every step is safe to repeat, and devices see a new version only once `timestamp.json`, written last, names it.
"""

import hashlib
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from securesystemslib.signer import Signer
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from shared.trust.errors import TrustError
from shared.trust.keys import Role

ROOT_LIFETIME = timedelta(days=3650)
TARGETS_LIFETIME = timedelta(days=365)
SNAPSHOT_LIFETIME = timedelta(days=7)
TIMESTAMP_LIFETIME = timedelta(days=1)
METADATA_LIMIT_BYTES = 1 << 20

_S = TypeVar("_S", Root, Targets, Snapshot, Timestamp)


def create_root(signers: Mapping[Role, Signer], now: datetime) -> bytes:
    """Root metadata, version 1: one key a role, threshold 1, consistent snapshots."""
    root = Root(version=1, expires=now + ROOT_LIFETIME, consistent_snapshot=True)
    for role, signer in signers.items():
        root.add_key(signer.public_key, role.value)
    return _signed(root, signers[Role.ROOT])


def create_targets(signer: Signer, now: datetime) -> bytes:
    """Targets metadata, version 1, that lists nothing yet."""
    return _signed(Targets(version=1, expires=now + TARGETS_LIFETIME), signer)


def add_target(
    current: bytes, path: str, data: bytes, custom: Mapping[str, Any], signer: Signer, now: datetime
) -> bytes:
    """The next version of `current` (verified targets metadata), with `data` listed under `path`.

    Raises:
        TrustError: `path` is listed already with other bytes; targets are create-only.
    """
    targets = parse_targets(current).signed
    entry = TargetFile.from_data(path, data, ["sha256"])
    entry.unrecognized_fields["custom"] = dict(custom)
    listed = targets.targets.get(path)
    if listed is not None and listed != entry:
        raise TrustError(f"{path} is published already with other contents; use a higher counter")
    targets.targets[path] = entry
    targets.version += 1
    targets.expires = now + TARGETS_LIFETIME
    return _signed(targets, signer)


def parse_targets(data: bytes) -> Metadata[Targets]:
    """Parse targets metadata; no signature is checked.

    Raises:
        TrustError: these bytes are no targets metadata.
    """
    return _parse(data, Targets)


class Repository:
    """A directory with `metadata/` and `targets/`, as devices fetch them; one writer at a time."""

    def __init__(self, directory: Path, snapshot_signer: Signer, timestamp_signer: Signer) -> None:
        self._metadata = directory / "metadata"
        self._targets = directory / "targets"
        self._snapshot_signer = snapshot_signer
        self._timestamp_signer = timestamp_signer

    def initialise(self, root: bytes, targets: bytes, now: datetime) -> None:
        """Lay out version 1 of everything.

        Raises:
            TrustError: `root` is not signed by itself, or `targets` not by root's targets key.
        """
        self._metadata.mkdir(parents=True, exist_ok=True)
        self._targets.mkdir(parents=True, exist_ok=True)
        trusted = _parse(root, Root)
        _verify(trusted.signed, Role.ROOT, trusted)
        _verify(trusted.signed, Role.TARGETS, parse_targets(targets))
        _write(self._metadata / "1.root.json", root)
        _write(self._metadata / "1.targets.json", targets)
        self._answer_for(targets_version=1, snapshot_version=1, timestamp_version=1, now=now)

    @property
    def is_initialised(self) -> bool:
        """Whether devices can fetch anything."""
        return (self._metadata / "timestamp.json").exists()

    def root(self) -> bytes:
        """The root metadata devices are shipped with."""
        return (self._metadata / "1.root.json").read_bytes()

    def targets(self) -> bytes:
        """The targets metadata that the current timestamp leads to."""
        version = self._snapshot().signed.meta["targets.json"].version
        return (self._metadata / f"{version}.targets.json").read_bytes()

    def check(self, offered: bytes, now: datetime) -> Metadata[Targets]:
        """Parse `offered` if it may follow the current targets: the next version, with everything that was there.

        Raises:
            TrustError: wrong key, wrong version, expired, or an entry was taken away or changed.
        """
        current = parse_targets(self.targets()).signed
        metadata = parse_targets(offered)
        _verify(_parse(self.root(), Root).signed, Role.TARGETS, metadata)
        if metadata.signed.is_expired(now):
            raise TrustError(f"these targets expired at {metadata.signed.expires.isoformat()}")
        if metadata.signed.version != current.version + 1:
            raise TrustError(
                f"targets version {metadata.signed.version} cannot follow {current.version}; fetch and sign again"
            )
        for path, entry in current.targets.items():
            if metadata.signed.targets.get(path) != entry:
                raise TrustError(f"{path} was changed or taken away; targets are create-only")
        return metadata

    def publish(self, offered: bytes, files: Mapping[str, bytes], now: datetime) -> None:
        """Make new targets metadata and the files it adds visible to devices, all or nothing.

        Args:
            files: contents by target path, of every entry that the current targets do not list.

        Raises:
            TrustError: see `check`; or an added entry's file is missing or differs from its entry.
        """
        metadata = self.check(offered, now)
        known = parse_targets(self.targets()).signed.targets
        for path, entry in metadata.signed.targets.items():
            if path not in known:
                self._store(path, entry, files.get(path))
        _write(self._metadata / f"{metadata.signed.version}.targets.json", offered)
        self._answer_for(
            targets_version=metadata.signed.version,
            snapshot_version=self._snapshot().signed.version + 1,
            timestamp_version=self._timestamp().signed.version + 1,
            now=now,
        )

    def refresh(self, now: datetime) -> bool:
        """Sign snapshot and timestamp again once half of a lifetime is over; says whether it did."""
        snapshot, timestamp = self._snapshot().signed, self._timestamp().signed
        is_due = timestamp.expires - now < TIMESTAMP_LIFETIME / 2 or snapshot.expires - now < SNAPSHOT_LIFETIME / 2
        if is_due:
            targets_version = snapshot.meta["targets.json"].version
            self._answer_for(targets_version, snapshot.version + 1, timestamp.version + 1, now)
        return is_due

    def _store(self, path: str, entry: TargetFile, data: bytes | None) -> None:
        if data is None:
            raise TrustError(f"{path} is listed, but its file was not sent")
        try:
            entry.verify_length_and_hashes(data)
        except RepositoryError as error:
            raise TrustError(f"{path}: {error}") from error
        folder, _, name = path.rpartition("/")
        destination = (self._targets / folder / f"{hashlib.sha256(data).hexdigest()}.{name}").resolve()
        if not destination.is_relative_to(self._targets.resolve()):
            raise TrustError(f"{path} leads out of the targets folder")
        destination.parent.mkdir(parents=True, exist_ok=True)
        _write(destination, data)

    def _answer_for(self, targets_version: int, snapshot_version: int, timestamp_version: int, now: datetime) -> None:
        snapshot = Snapshot(snapshot_version, expires=now + SNAPSHOT_LIFETIME)
        snapshot.meta["targets.json"] = MetaFile(targets_version)
        _write(self._metadata / f"{snapshot_version}.snapshot.json", _signed(snapshot, self._snapshot_signer))
        timestamp = Timestamp(timestamp_version, expires=now + TIMESTAMP_LIFETIME)
        timestamp.snapshot_meta = MetaFile(snapshot_version)
        _write(self._metadata / "timestamp.json", _signed(timestamp, self._timestamp_signer))

    def _timestamp(self) -> Metadata[Timestamp]:
        return _parse((self._metadata / "timestamp.json").read_bytes(), Timestamp)

    def _snapshot(self) -> Metadata[Snapshot]:
        version = self._timestamp().signed.snapshot_meta.version
        return _parse((self._metadata / f"{version}.snapshot.json").read_bytes(), Snapshot)


def _signed(content: Root | Targets | Snapshot | Timestamp, signer: Signer) -> bytes:
    content.expires = content.expires.replace(microsecond=0)  # TUF's times are whole seconds
    metadata: Metadata[Any] = Metadata(content)
    metadata.sign(signer)
    return metadata.to_bytes()


def _parse(data: bytes, kind: type[_S]) -> Metadata[_S]:
    if len(data) > METADATA_LIMIT_BYTES:
        raise TrustError(f"metadata has at most {METADATA_LIMIT_BYTES} bytes, not {len(data)}")
    try:
        metadata: Metadata[_S] = Metadata.from_bytes(data)
    except DeserializationError as error:
        raise TrustError(f"not TUF metadata: {error}") from error
    if not isinstance(metadata.signed, kind):
        raise TrustError(f"{metadata.signed.type} metadata where {kind.type} was expected")
    return metadata


def _verify(root: Root, role: Role, metadata: Metadata[Any]) -> None:
    try:
        root.verify_delegate(role.value, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError) as error:
        raise TrustError(f"{role} metadata: {error}") from error


def _write(path: Path, data: bytes) -> None:
    """Replace a file atomically and durably: readers and a power cut see the old bytes or the new ones."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
