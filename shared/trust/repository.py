"""The server's side of TUF: the rules by which it adds to a family's repository, and keeps it fresh.

Targets are signed offline (`signing`); a `Repository` accepts those that root's targets keys signed and answers for
them with the online keys. Devices see a new version only once the family's timestamp names it.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from securesystemslib.signer import Signer
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from shared.trust.errors import OutdatedError, TrustError
from shared.trust.keys import Role
from shared.trust.metadata import (
    AHEAD_MAX,
    floor_of,
    min_counter_of,
    next_version,
    parse,
    require_family,
    signed_at_of,
    signed_bytes,
    snapshot_file,
    target_file,
    targets_file,
    timestamp_file,
    verify,
)
from shared.trust.shown import Read, Shown, files_of

SNAPSHOT_LIFETIME = timedelta(days=7)
TIMESTAMP_LIFETIME = timedelta(days=1)
ENTRIES_MAX = 64
Files = dict[str, bytes]
_NAME = re.compile(r"(settings-)?[0-9]{1,10}\.json|fallback-[0-9a-f]{6}\.json")


@dataclass(frozen=True, slots=True)
class Change:
    """Files of one family that must become visible together: its timestamp is replaced, every other file is new.

    Args:
        follows: the version of the timestamp on which this is built; 0 where there was none. Of two changes that
            follow the same one only one can be made.
        kept: names of all files that the new timestamp and the one before lead to; the family needs no others.
        listed: the target paths that its targets metadata list.
        renew_at: when snapshot or timestamp are to be signed anew.
        expires_at: when the first of snapshot and timestamp expires.
        targets_expire_at: when the targets metadata expire.
        floor: what the targets metadata say: no device takes a bundle of a lower counter.
    """

    files: Files
    follows: int
    version: int
    kept: frozenset[str]
    listed: tuple[str, ...]
    renew_at: datetime
    expires_at: datetime
    targets_expire_at: datetime
    floor: int


class Repository:
    """The rules of one family's repository. They read files, return the files to write, and touch nothing.

    Args:
        read: a file's bytes by its name (`metadata.timestamp_file` and the like); None when there is none.
        root: the newest root, verified.
    """

    def __init__(
        self, read: Read, *, family: str, root: bytes, snapshot_signer: Signer, timestamp_signer: Signer
    ) -> None:
        self._read = read
        self._shown = Shown(read, family)
        self._family = family
        self._root = parse(root, Root).signed
        self._snapshot_signer = snapshot_signer
        self._timestamp_signer = timestamp_signer

    def targets(self) -> bytes | None:
        """The targets metadata that the current timestamp leads to; None before the first publication.

        Raises:
            TrustError: a file is missing or damaged.
        """
        return self._shown.targets()

    def check(self, offered: bytes, kept: Collection[str], now: datetime) -> Metadata[Targets]:
        """Parse `offered` if it may follow the current targets.

        Args:
            kept: paths that must stay listed where they are.

        Raises:
            OutdatedError: others have published since `offered` was begun.
            TrustError: too few of the role's keys signed, wrong family, expired, dated ahead, an entry that must stay
                was taken away or changed, the floor was lowered, or there are more than `ENTRIES_MAX` entries.
        """
        metadata = parse(offered, Targets)
        verify(self._root, Role.TARGETS, metadata)
        require_family(metadata.signed, self._family)
        _require_now(metadata.signed, now)
        _require_entries(metadata.signed, self._family)
        data = self.targets()
        current = None if data is None else parse(data, Targets).signed
        _require_next(current, metadata.signed, kept, now)
        _require_floor(current, metadata.signed)
        return metadata

    def publish(self, offered: bytes, added: Mapping[str, bytes], kept: Collection[str], now: datetime) -> Change:
        """The change that makes new targets metadata, and the targets they add, visible to devices.

        Args:
            added: contents by target path. An entry whose contents are neither here nor there yet is listed all the
                same: a server whose backup was restored lacks them until they are published again.

        Raises:
            OutdatedError, TrustError: see `check`; or an added entry's contents differ from it.
        """
        metadata = self.check(offered, kept, now)
        files = self._new_files(metadata.signed, added)
        files[targets_file(self._family, metadata.signed.version)] = offered
        return self._answered(files, metadata.signed, self._shown.timestamp(), None, now)

    def _new_files(self, targets: Targets, added: Mapping[str, bytes]) -> Files:
        """The contents of listed targets that are not there yet."""
        files = {}
        for path, entry in targets.targets.items():
            name, data = target_file(path, entry.hashes["sha256"]), added.get(path)
            if data is not None and self._read(name) is None:
                files[name] = _verified(entry, data)
        return files

    def refresh(self, now: datetime, *, is_forced: bool = False) -> Change | None:
        """Timestamp, and snapshot where it is time, newly signed; None as long as both are young and ours.

        Args:
            is_forced: sign a timestamp also where the last one is young and ours.

        Raises:
            TrustError: a file is missing or damaged.
        """
        timestamp = self._shown.timestamp()
        if timestamp is None:
            return None
        snapshot = self._shown.snapshot(timestamp)
        keeps_snapshot = self._is_own(snapshot, Role.SNAPSHOT) and not _is_due(snapshot.signed, SNAPSHOT_LIFETIME, now)
        is_young = self._is_own(timestamp, Role.TIMESTAMP) and not _is_due(timestamp.signed, TIMESTAMP_LIFETIME, now)
        if keeps_snapshot and is_young and not is_forced:
            return None
        targets = parse(self._shown.targets_of(snapshot), Targets).signed
        return self._answered({}, targets, timestamp, snapshot.signed if keeps_snapshot else None, now)

    def _answered(
        self,
        files: Files,
        targets: Targets,
        before: Metadata[Timestamp] | None,
        snapshot: Snapshot | None,
        now: datetime,
    ) -> Change:
        """The change that answers for `targets`, with a new timestamp, and a new snapshot unless one is given."""
        kept = self._shown.reachable(before) if before else frozenset()
        if snapshot is None:
            version = next_version(before.signed.snapshot_meta.version if before else 0, now)
            meta = {"targets.json": MetaFile(targets.version)}
            snapshot = Snapshot(version, expires=now + SNAPSHOT_LIFETIME, meta=meta)
            files[snapshot_file(self._family, version)] = self._signed(snapshot, self._snapshot_signer)
        follows = before.signed.version if before else 0
        timestamp = Timestamp(next_version(follows, now), expires=now + TIMESTAMP_LIFETIME)
        timestamp.snapshot_meta = MetaFile(snapshot.version)
        files[timestamp_file(self._family)] = self._signed(timestamp, self._timestamp_signer)
        return Change(
            files=files,
            follows=follows,
            version=timestamp.version,
            kept=kept | files.keys() | files_of(targets),
            listed=tuple(sorted(targets.targets)),
            renew_at=min(timestamp.expires - TIMESTAMP_LIFETIME / 2, snapshot.expires - SNAPSHOT_LIFETIME / 2),
            expires_at=min(timestamp.expires, snapshot.expires),
            targets_expire_at=targets.expires,
            floor=floor_of(targets),
        )

    def _signed(self, content: Snapshot | Timestamp, signer: Signer) -> bytes:
        return signed_bytes(content, [signer], family=self._family)

    def _is_own(self, metadata: Metadata[Snapshot] | Metadata[Timestamp], role: Role) -> bool:
        """Whether the newest root believes it: no longer where the keys have been changed."""
        try:
            verify(self._root, role, metadata)
        except TrustError:
            return False
        return True


def _is_due(content: Snapshot | Timestamp, lifetime: timedelta, now: datetime) -> bool:
    return content.expires - now < lifetime / 2


def _require_now(offered: Targets, now: datetime) -> None:
    if offered.is_expired(now):
        raise TrustError(f"these targets expired at {offered.expires.isoformat()}")
    signed_at = signed_at_of(offered)
    if signed_at is None:
        raise TrustError("these targets do not say when they were signed (signed_at); update dctwire and sign again")
    if signed_at > now + AHEAD_MAX:
        raise TrustError(
            f"these targets were signed at {signed_at.isoformat()}, which is more than a day ahead of this server's "
            "clock: devices would take that for the time. Set the clock of the machine that signs"
        )


def _require_entries(offered: Targets, family: str) -> None:
    if len(offered.targets) > ENTRIES_MAX:
        raise TrustError(f"at most {ENTRIES_MAX} entries are taken, not {len(offered.targets)}")
    for path, entry in offered.targets.items():
        folder, _, name = path.rpartition("/")
        if folder != family or _NAME.fullmatch(name) is None:
            raise TrustError(f"{path} is no path of family {family}, such as {family}/1.json")
        if list(entry.hashes) != ["sha256"] or re.fullmatch("[0-9a-f]{64}", entry.hashes["sha256"]) is None:
            raise TrustError(f"{path}: an entry has a SHA-256 and no other hash")


def _require_next(current: Targets | None, offered: Targets, kept: Collection[str], now: datetime) -> None:
    version, listed = (current.version, current.targets) if current else (0, {})
    gone = [path for path in listed if path in kept and path not in offered.targets]
    if offered.version <= version or gone:
        cause = f"{gone[0]} must stay" if gone else f"version {offered.version} cannot follow {version}"
        raise OutdatedError(f"{cause}: others may have published meanwhile; fetch and sign again")
    if offered.version > next_version(version, now + AHEAD_MAX):
        raise TrustError(f"targets version {offered.version} is ahead of this server's clock by more than a day")
    for path, entry in offered.targets.items():
        if listed.get(path, entry) != entry:
            raise TrustError(f"{path} was changed; targets are create-only")


def _require_floor(current: Targets | None, offered: Targets) -> None:
    """The floor is at least what it was and what any entry brings, and a bundle at or above it is listed."""
    floor = floor_of(offered)
    lowest = max([floor_of(current) if current else 0, *map(min_counter_of, offered.targets.values())])
    if floor < lowest:
        raise TrustError(f"min_counter {floor} is below {lowest}; it never falls")
    if floor > max([lowest, *map(_counter_of, offered.targets)]):
        raise TrustError(f"min_counter {floor} is above every listed bundle")


def _counter_of(path: str) -> int:
    name = path.rpartition("/")[2].removesuffix(".json")
    return int(name) if name.isdecimal() else 0


def _verified(entry: TargetFile, data: bytes) -> bytes:
    try:
        entry.verify_length_and_hashes(data)
    except RepositoryError as error:
        raise TrustError(f"{entry.path}: {error}") from error
    return data
