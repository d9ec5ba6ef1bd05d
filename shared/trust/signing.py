"""What is signed offline for a family: the targets metadata that list its bundles and fallbacks."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from securesystemslib.signer import Signer
from tuf.api.metadata import TargetFile, Targets

from shared.trust.errors import TargetTakenError
from shared.trust.metadata import floor_of, min_counter_of, next_version, parse_targets, signed_at_text, signed_bytes

TARGETS_LIFETIME = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Target:
    """Something to list: its path in the metadata, its bytes, and what the entry says beside their hash."""

    path: str
    data: bytes
    custom: Mapping[str, Any]

    @property
    def entry(self) -> TargetFile:
        """Its entry in targets metadata."""
        entry = TargetFile.from_data(self.path, self.data, ["sha256"])
        entry.unrecognized_fields["custom"] = dict(self.custom)
        return entry


def next_targets(
    family: str,
    current: bytes | None,
    signers: Sequence[Signer],
    now: datetime,
    *,
    added: Target | None = None,
    kept: Collection[str] | None = None,
    behind: bytes | None = None,
) -> bytes:
    """The targets metadata that follow `current` (verified; None begins the family).

    Args:
        added: what is listed from now on.
        kept: paths whose entries stay; None keeps all of them. The floor stays also where entries go.
        behind: an older list (verified) to which the server went back, and whose kept entries stay, too.

    Raises:
        TargetTakenError: `added` has a path that is listed already with other contents.
        TrustError: `current` is no targets metadata.
    """
    before = parse_targets(current).signed if current is not None else Targets()
    older = parse_targets(behind).signed.targets if behind is not None else {}
    every = older | before.targets
    entries = {path: entry for path, entry in every.items() if kept is None or path in kept}
    if added is not None:
        entries[added.path] = _free_entry(before, added)
    version = next_version(before.version if current is not None else 0, now)
    targets = Targets(version, expires=now + TARGETS_LIFETIME, targets=entries)
    floor = max([floor_of(before), *map(min_counter_of, (every | entries).values())])
    return signed_bytes(targets, signers, signed_at=signed_at_text(now), family=family, min_counter=floor)


def is_listed(current: bytes | None, target: Target) -> bool:
    """Whether targets metadata list exactly this already.

    Raises:
        TargetTakenError, TrustError: as `next_targets`.
    """
    if current is None:
        return False
    targets = parse_targets(current).signed
    return _free_entry(targets, target) == targets.targets.get(target.path)


def targets_are_due(current: bytes, now: datetime) -> bool:
    """Whether half of the life of targets metadata is over, so that it is time to sign it anew.

    Raises:
        TrustError: these bytes are no targets metadata.
    """
    return parse_targets(current).signed.expires - now < TARGETS_LIFETIME / 2


def _free_entry(targets: Targets, target: Target) -> TargetFile:
    """The entry of a target whose path is free, or has this entry already."""
    entry = target.entry
    if targets.targets.get(target.path, entry) != entry:
        raise TargetTakenError(f"{target.path} is published already with other contents; use a higher counter")
    return entry
