"""The publishing side of TUF: signed metadata, and the rules by which a server adds to it.

Root and targets are signed offline, by `create_root`, `create_targets` and `add_target`. A `Repository` is the
server's; it accepts targets that root's targets key signed and answers for them with the online keys. Devices see a
new version only once `timestamp.json` names it.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from securesystemslib.signer import Signer
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from shared.trust.errors import TargetTakenError, TrustError
from shared.trust.keys import Role

ROOT_LIFETIME = timedelta(days=3650)
TARGETS_LIFETIME = timedelta(days=365)
SNAPSHOT_LIFETIME = timedelta(days=7)
TIMESTAMP_LIFETIME = timedelta(days=1)
METADATA_LIMIT_BYTES = 1 << 20
ROOT_FILE = "metadata/1.root.json"
TIMESTAMP_FILE = "metadata/timestamp.json"
Files = dict[str, bytes]
Read = Callable[[str], bytes | None]

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
        TargetTakenError: `path` is listed already with other bytes; targets are create-only.
        TrustError: `current` is no targets metadata.
    """
    targets = parse_targets(current).signed
    targets.targets[path] = _free_entry(targets, path, data, custom)
    targets.version += 1
    targets.expires = now + TARGETS_LIFETIME
    return _signed(targets, signer)


def is_listed(current: bytes, path: str, data: bytes, custom: Mapping[str, Any]) -> bool:
    """Whether targets metadata lists exactly this already.

    Raises:
        TargetTakenError, TrustError: as `add_target`.
    """
    targets = parse_targets(current).signed
    return _free_entry(targets, path, data, custom) == targets.targets.get(path)


def targets_are_due(current: bytes, now: datetime) -> bool:
    """Whether half of the life of targets metadata is over, so that it is time to sign it anew.

    Raises:
        TrustError: these bytes are no targets metadata.
    """
    return parse_targets(current).signed.expires - now < TARGETS_LIFETIME / 2


def parse_targets(data: bytes) -> Metadata[Targets]:
    """Parse targets metadata; no signature is checked.

    Raises:
        TrustError: these bytes are no targets metadata.
    """
    return _parse(data, Targets)


class Repository:
    """The rules of one server's repository. They read files and return the files to write, and touch nothing.

    Files are named as devices fetch them: `metadata/timestamp.json`, `targets/doorbell/<sha256>.1.json`. What is
    returned must become visible together. `metadata/timestamp.json` replaces the one before; every other file is new,
    and two changes that started from the same state both want the same new `metadata/<n>.snapshot.json`.

    Args:
        read: a file's bytes; None when there is none.
    """

    def __init__(self, read: Read, *, snapshot_signer: Signer, timestamp_signer: Signer) -> None:
        self._read = read
        self._snapshot_signer = snapshot_signer
        self._timestamp_signer = timestamp_signer

    def initialise(self, root: bytes, targets: bytes, now: datetime) -> Files:
        """The files of a new repository: version 1 of all metadata.

        Raises:
            TrustError: `root` is not signed by itself, or `targets` not by root's targets key.
        """
        trusted = _parse(root, Root)
        _verify(trusted.signed, Role.ROOT, trusted)
        _verify(trusted.signed, Role.TARGETS, parse_targets(targets))
        files = {ROOT_FILE: root, "metadata/1.targets.json": targets}
        return files | self._answer_for(targets_version=1, snapshot_version=1, timestamp_version=1, now=now)

    def require_keys_of(self, root: bytes) -> None:
        """Refuse a root whose holders would not believe what this repository signs.

        Raises:
            TrustError: root names other keys for snapshot or timestamp.
        """
        roles = _parse(root, Root).signed.roles
        for role, signer in ((Role.SNAPSHOT, self._snapshot_signer), (Role.TIMESTAMP, self._timestamp_signer)):
            if signer.public_key.keyid not in roles[role].keyids:
                raise TrustError(f"the {role} key is not the one that root.json names")

    @property
    def is_initialised(self) -> bool:
        """Whether devices can fetch anything."""
        return self._read(TIMESTAMP_FILE) is not None

    def root(self) -> bytes:
        """The root metadata devices are shipped with."""
        return self._file(ROOT_FILE)

    def targets(self) -> bytes:
        """The targets metadata that the current timestamp leads to."""
        version = self._snapshot().signed.meta["targets.json"].version
        return self._file(f"metadata/{version}.targets.json")

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

    def publish(self, offered: bytes, added: Mapping[str, bytes], now: datetime) -> Files:
        """The files that make new targets metadata, and the targets it adds, visible to devices.

        Args:
            added: contents by target path, of every entry that the current targets do not list.

        Raises:
            TrustError: see `check`; or an added entry's file is missing or differs from its entry.
        """
        metadata = self.check(offered, now)
        known = parse_targets(self.targets()).signed.targets
        new = {path: entry for path, entry in metadata.signed.targets.items() if path not in known}
        files = dict(_target_file(path, entry, added.get(path)) for path, entry in new.items())
        files[f"metadata/{metadata.signed.version}.targets.json"] = offered
        return files | self._answer_for(
            targets_version=metadata.signed.version,
            snapshot_version=self._snapshot().signed.version + 1,
            timestamp_version=self._timestamp().signed.version + 1,
            now=now,
        )

    def refresh(self, now: datetime) -> Files:
        """The files of a newly signed snapshot and timestamp once half of a lifetime is over; none before that."""
        snapshot, timestamp = self._snapshot().signed, self._timestamp().signed
        is_due = timestamp.expires - now < TIMESTAMP_LIFETIME / 2 or snapshot.expires - now < SNAPSHOT_LIFETIME / 2
        if not is_due:
            return {}
        targets_version = snapshot.meta["targets.json"].version
        return self._answer_for(
            targets_version=targets_version,
            snapshot_version=snapshot.version + 1,
            timestamp_version=timestamp.version + 1,
            now=now,
        )

    def _answer_for(
        self, *, targets_version: int, snapshot_version: int, timestamp_version: int, now: datetime
    ) -> Files:
        snapshot = Snapshot(snapshot_version, expires=now + SNAPSHOT_LIFETIME)
        snapshot.meta["targets.json"] = MetaFile(targets_version)
        timestamp = Timestamp(timestamp_version, expires=now + TIMESTAMP_LIFETIME)
        timestamp.snapshot_meta = MetaFile(snapshot_version)
        return {
            f"metadata/{snapshot_version}.snapshot.json": _signed(snapshot, self._snapshot_signer),
            TIMESTAMP_FILE: _signed(timestamp, self._timestamp_signer),
        }

    def _timestamp(self) -> Metadata[Timestamp]:
        return _parse(self._file(TIMESTAMP_FILE), Timestamp)

    def _snapshot(self) -> Metadata[Snapshot]:
        version = self._timestamp().signed.snapshot_meta.version
        return _parse(self._file(f"metadata/{version}.snapshot.json"), Snapshot)

    def _file(self, name: str) -> bytes:
        data = self._read(name)
        if data is None:
            raise TrustError(f"{name} is missing")
        return data


def _free_entry(targets: Targets, path: str, data: bytes, custom: Mapping[str, Any]) -> TargetFile:
    """The entry of a target whose path is free, or has this entry already."""
    entry = TargetFile.from_data(path, data, ["sha256"])
    entry.unrecognized_fields["custom"] = dict(custom)
    if targets.targets.get(path, entry) != entry:
        raise TargetTakenError(f"{path} is published already with other contents; use a higher counter")
    return entry


def _target_file(path: str, entry: TargetFile, data: bytes | None) -> tuple[str, bytes]:
    if data is None:
        raise TrustError(f"{path} is listed, but its file was not sent")
    try:
        entry.verify_length_and_hashes(data)
    except RepositoryError as error:
        raise TrustError(f"{path}: {error}") from error
    folder, _, name = path.rpartition("/")
    if {"", ".", ".."} & set(path.split("/")):
        raise TrustError(f"{path} leads out of the targets folder")
    return f"targets/{folder}/{hashlib.sha256(data).hexdigest()}.{name}", data


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
