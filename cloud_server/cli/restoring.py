"""Bringing back to a server what it has lost, because a backup from before was restored.

What was published is named by the signed lists that the operator keeps beside the keys; where it lies, by the folders
from which it was published.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cloud_server.cli.ceremonies import Ceremony
from cloud_server.cli.floor import warn_of_fallen
from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.publishing import ModelFolder, publish_folder
from cloud_server.cli.signed_lists import Current, SignedLists
from shared.bundle import BundleError
from shared.trust import Passphrase, parse_targets


@dataclass(frozen=True, slots=True)
class Restored:
    """Names of what the server has again, and of what it still lacks because no folder holds it."""

    published: Sequence[str]
    missing: Sequence[str]


@dataclass(frozen=True, slots=True)
class Restoring:
    """Brings a server up to date with the lists that were signed, and publishes what it lacks. Safe to repeat.

    Args:
        passphrase: of the key files that have one.
    """

    client: OperatorClient
    keys: Path
    now: datetime
    passphrase: Passphrase

    def restore(self, folders: Sequence[Path]) -> Restored:
        """Restore every family.

        Args:
            folders: what was exported, in any order, beside the folders from which it was published.

        Raises:
            TooFewSignaturesError, TrustError, RefusedError, ChannelError: as `publish_folder`.
            BundleError: one of `folders` is none.
        """
        given = {read.published.target_path: read for read in map(ModelFolder.read, folders)}
        families = SignedLists(self.client, self.keys).families().union(self._ceremony().families())
        each = [self._restore_family(family, given) for family in sorted(families)]
        return Restored(
            [name for one in each for name in one.published], [name for one in each for name in one.missing]
        )

    def _restore_family(self, family: str, given: Mapping[str, ModelFolder]) -> Restored:
        lists = SignedLists(self.client, self.keys)
        current = lists.current(family)
        found = {path: _found(lists, given, path, digest) for path, digest in _lost(current).items()}
        folders = [folder for folder in found.values() if folder is not None]
        for folder in folders:
            publish_folder(self.client, folder, self.keys, self.now, _silent, may_jump=True, passphrase=self.passphrase)
        if current.is_ahead and not folders:
            self._ceremony().renew([family])
        warn_of_fallen(family, self.client.get(f"/v1/tuf/{family}/floor"))
        missing = [path.removesuffix(".json") for path, folder in found.items() if folder is None]
        return Restored([folder.published.name for folder in folders], missing)

    def _ceremony(self) -> Ceremony:
        return Ceremony(self.client, self.keys, self.now, self.passphrase)


def _lost(current: Current) -> dict[str, str]:
    """The digests of what a list names and the server lacks, by target path."""
    entries = {} if current.targets is None else parse_targets(current.targets).signed.targets
    return {path: entries[path].hashes["sha256"] for path in sorted(current.lost)}


def _silent(_step: str) -> None:
    """Nobody watches."""


def _found(lists: SignedLists, given: Mapping[str, ModelFolder], path: str, sha256: str) -> ModelFolder | None:
    """The folder that holds what is signed: one that was given, or that it was published from."""
    remembered = lists.folder_of(path)
    try:
        folder = given.get(path) or (ModelFolder.read(remembered) if remembered is not None else None)
    except (BundleError, OSError):  # it has gone, or is another one by now
        return None
    return folder if folder is not None and hashlib.sha256(folder.data).hexdigest() == sha256 else None
