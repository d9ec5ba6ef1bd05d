"""What a family's repository shows, from its timestamp on: read without keys, and believed as far as root is."""

from collections.abc import Callable

from tuf.api.metadata import Metadata, Snapshot, Targets, Timestamp

from shared.trust.errors import TrustError
from shared.trust.metadata import parse, snapshot_file, target_file, targets_file, timestamp_file

Read = Callable[[str], bytes | None]


class Shown:
    """The metadata of one family as they are now.

    Args:
        read: a file's bytes by its name (`metadata.timestamp_file` and the like); None when there is none.
    """

    def __init__(self, read: Read, family: str) -> None:
        self._read = read
        self._family = family

    def targets(self) -> bytes | None:
        """The targets metadata that the current timestamp leads to; None before the first publication.

        Raises:
            TrustError: a file is missing or damaged.
        """
        timestamp = self.timestamp()
        return None if timestamp is None else self.targets_of(self.snapshot(timestamp))

    def timestamp(self) -> Metadata[Timestamp] | None:
        """The current timestamp; None before the first publication.

        Raises:
            TrustError: it is damaged.
        """
        data = self._read(timestamp_file(self._family))
        return None if data is None else parse(data, Timestamp)

    def snapshot(self, timestamp: Metadata[Timestamp]) -> Metadata[Snapshot]:
        """The snapshot that a timestamp leads to; errors as for `targets`."""
        return parse(self._file(snapshot_file(self._family, timestamp.signed.snapshot_meta.version)), Snapshot)

    def targets_of(self, snapshot: Metadata[Snapshot]) -> bytes:
        """The targets metadata that a snapshot leads to; errors as for `targets`."""
        return self._file(targets_file(self._family, snapshot.signed.meta["targets.json"].version))

    def reachable(self, timestamp: Metadata[Timestamp]) -> frozenset[str]:
        """The names of the files that a timestamp leads to; errors as for `targets`."""
        snapshot = self.snapshot(timestamp)
        targets = parse(self.targets_of(snapshot), Targets).signed
        names = (
            snapshot_file(self._family, snapshot.signed.version),
            targets_file(self._family, targets.version),
        )
        return files_of(targets).union(names)

    def _file(self, name: str) -> bytes:
        data = self._read(name)
        if data is None:
            raise TrustError(f"{name} is missing")
        return data


def files_of(targets: Targets) -> frozenset[str]:
    """The names of the files that targets metadata list."""
    return frozenset(target_file(path, entry.hashes["sha256"]) for path, entry in targets.targets.items())
