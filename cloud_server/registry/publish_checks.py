"""What may be published: rules about counters, signed entries and labels, without database or clock."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from cloud_server.errors import ClassifierError, ConflictError
from cloud_server.inference.routing import Published
from cloud_server.registry.catalogue import Registered
from shared.bundle import Bundle, BundleError
from shared.trust import TrustError, parse_targets

JUMP_MAX = 1_000_000
AHEAD_SECONDS = 86400.0
FAMILIES_MAX = 1000
"""Each has files that are signed anew twice a day, twenty in five seconds; whoever changes the root looks at all."""


def is_known(published: Published, data: bytes, registered: Registered | None) -> bool:
    """Whether exactly this is published already.

    Args:
        data: its canonical bytes.
        registered: what is recorded under its name.

    Raises:
        ConflictError: its name has other contents.
    """
    if registered is not None and registered.data != data:
        raise ConflictError(f"{published.name} exists with other contents; use a higher counter")
    return registered is not None


def require_room(family: str, others: int) -> None:
    """Whether a family may be there beside so many others.

    Raises:
        ConflictError: there are `FAMILIES_MAX` already.
    """
    if others >= FAMILIES_MAX:
        raise ConflictError(f"{family} would be a new family, and {FAMILIES_MAX} families are all that a server has")


def require_counter(bundle: Bundle, highest: int, *, may_jump: bool) -> None:
    """Whether a new bundle has a counter that follows its family's highest.

    Args:
        highest: 0 of a family without bundles.
        may_jump: whether a counter may be far above it.

    Raises:
        ConflictError: it is lower, or so high that few counters would be left.
    """
    if bundle.counter < highest:
        raise ConflictError(f"{bundle.family}/{highest} exists; counters only grow")
    if bundle.counter > highest + JUMP_MAX and not may_jump:
        raise ConflictError(f"{bundle.name} is over {JUMP_MAX} above {highest}; is that meant? Then add --allow-jump")


def require_made(published: Published, now: float) -> None:
    """Whether something was made before now, or at least within a day.

    Args:
        now: seconds since 1970.

    Raises:
        BundleError: its `created_at` is later.
    """
    if published.created_at.timestamp() > now + AHEAD_SECONDS:
        raise BundleError(
            f"{published.name} was made at {published.created_at.isoformat()}, which is more than a day ahead of this "
            "server's clock; set the trainer's clock and export it again"
        )


def require_listed(targets: bytes, published: Published, data: bytes) -> None:
    """Whether targets metadata list what is to be published, with its classifier.

    Raises:
        TrustError: they do not, or are no targets metadata.
    """
    require_entry(targets, published.target_path, data, published.target_custom)


def require_entry(targets: bytes, path: str, data: bytes, custom: Mapping[str, Any]) -> None:
    """Whether targets metadata list these bytes under a path, with what the entry says beside their hash.

    Raises:
        TrustError: they do not, or are no targets metadata.
    """
    entry = parse_targets(targets).signed.targets.get(path)
    if entry is None:
        raise TrustError(f"the new targets must add {path}")
    if entry.length != len(data) or entry.hashes.get("sha256") != hashlib.sha256(data).hexdigest():
        raise TrustError(f"the signed entry of {path} is not for these bytes")
    if entry.unrecognized_fields.get("custom") != custom:
        raise TrustError(f"the signed entry of {path} says something else of it beside its hash")


def require_same_labels(family: str, of_family: Collection[str], labels: Iterable[str]) -> None:
    """Whether a classifier tells apart what its family's classifiers do, in whatever order.

    Args:
        of_family: the family's labels; empty when nothing is published for it, or they cannot be read.

    Raises:
        ClassifierError: it does not; names up to three labels that only one of them has.
    """
    odd = sorted(set(of_family) ^ set(labels))
    if of_family and odd:
        raise ClassifierError(
            f"{family} has other labels ({', '.join(odd[:3])}...): a family is one task with one label set; publish "
            "this one to a family of its own"
        )
