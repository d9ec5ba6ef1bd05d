"""What may be published: rules about counters, signed entries and labels, without database or clock."""

import hashlib
from collections.abc import Collection, Iterable

from cloud_server.errors import ClassifierError, ConflictError
from cloud_server.inference.routing import Published
from cloud_server.registry.catalogue import Registered
from shared.bundle import Bundle
from shared.trust import TrustError, parse_targets


def is_known(published: Published, data: bytes, registered: Registered | None, bundles: Iterable[Bundle]) -> bool:
    """Whether exactly this is published already.

    Args:
        data: its canonical bytes.
        registered: what is recorded under its name.
        bundles: the recorded bundles of its family.

    Raises:
        ConflictError: its name has other contents, or its family has a bundle of a higher counter.
    """
    if registered is not None:
        if registered.data != data:
            raise ConflictError(f"{published.name} exists with other contents; use a higher counter")
        return True
    highest = max((bundle.counter for bundle in bundles), default=0)
    if isinstance(published, Bundle) and published.counter < highest:
        raise ConflictError(f"{published.family}/{highest} exists; counters only grow")
    return False


def require_next_version(current: bytes, offered: bytes) -> None:
    """Whether targets metadata is of the version that follows the current one.

    Raises:
        TrustError: one of them is no targets metadata.
        ConflictError: it was signed on top of another version than the current one.
    """
    found, wanted = parse_targets(offered).signed.version, parse_targets(current).signed.version + 1
    if found != wanted:
        raise ConflictError(f"targets version {found} cannot follow {wanted - 1}; fetch and sign again")


def require_only_addition(current: bytes, offered: bytes, published: Published, data: bytes) -> None:
    """Whether targets metadata lists what is to be published, with its classifier, and nothing else that is new.

    Raises:
        TrustError: it does not, or one of them is no targets metadata.
    """
    known, listed = parse_targets(current).signed.targets, parse_targets(offered).signed.targets
    path = published.target_path
    entry = listed.get(path)
    if entry is None or listed.keys() - known.keys() - {path}:
        raise TrustError(f"the new targets must add {path} and nothing else")
    if entry.length != len(data) or entry.hashes.get("sha256") != hashlib.sha256(data).hexdigest():
        raise TrustError(f"the signed entry of {path} is not for these bytes")
    if entry.unrecognized_fields.get("custom") != published.target_custom:
        raise TrustError(f"the signed entry of {path} does not name its classifier")


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
