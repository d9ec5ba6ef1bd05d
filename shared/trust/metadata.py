"""Signed metadata as bytes: how they are named, parsed, signed and verified, and what dctwire adds to TUF's members.

One TUF repository a family under one root that all families share. TUF lets the signed part have further members:

- root and targets: `signed_at`, from which alone a device's floor of time comes;
- targets, snapshot and timestamp: `family`;
- targets: `min_counter`, the highest that the family ever published.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from securesystemslib.signer import Signer
from tuf.api.exceptions import RepositoryError, UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from shared.trust.errors import OtherSignerError, TrustError
from shared.trust.keys import Role

METADATA_LIMIT_BYTES = 1 << 20
AHEAD_MAX = timedelta(days=1)
"""How far ahead of a server's clock what it is given may be dated."""
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

Signed = Root | Targets | Snapshot | Timestamp
_S = TypeVar("_S", Root, Targets, Snapshot, Timestamp)


def root_file(version: int) -> str:
    """The name of a version of the root."""
    return f"{version}.root.json"


def timestamp_file(family: str) -> str:
    """The name of a family's timestamp: the only file that ever changes."""
    return f"{family}/timestamp.json"


def snapshot_file(family: str, version: int) -> str:
    """The name of a version of a family's snapshot."""
    return f"{family}/{version}.snapshot.json"


def targets_file(family: str, version: int) -> str:
    """The name of a version of a family's targets metadata."""
    return f"{family}/{version}.targets.json"


def target_file(path: str, sha256: str) -> str:
    """The name of a target, whose path in the metadata begins with its family."""
    family, _, name = path.rpartition("/")
    return f"{family}/{sha256}.{name}"


def next_version(previous: int, now: datetime) -> int:
    """The version after `previous`, and no lower than the Unix time: so it grows also where a backup was restored."""
    return max(previous + 1, int(now.timestamp()))


def signed_bytes(content: Signed, signers: Iterable[Signer], **members: Any) -> bytes:
    """The bytes of metadata with further `members`, signed by every signer."""
    content.expires = content.expires.replace(microsecond=0)  # TUF's times are whole seconds
    content.unrecognized_fields.update(members)
    metadata: Metadata[Any] = Metadata(content)
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()


def parse(data: bytes, kind: type[_S]) -> Metadata[_S]:
    """Parse metadata of one kind; no signature is checked.

    Raises:
        TrustError: these bytes are none, or too many.
    """
    if len(data) > METADATA_LIMIT_BYTES:
        raise TrustError(f"metadata has at most {METADATA_LIMIT_BYTES} bytes, not {len(data)}")
    try:
        metadata: Metadata[_S] = Metadata.from_bytes(data)
    except DeserializationError as error:
        raise TrustError(f"not TUF metadata: {error}") from error
    if not isinstance(metadata.signed, kind):
        raise TrustError(f"{metadata.signed.type} metadata where {kind.type} was expected")
    return metadata


def parse_targets(data: bytes) -> Metadata[Targets]:
    """Parse targets metadata; no signature is checked.

    Raises:
        TrustError: these bytes are no targets metadata.
    """
    return parse(data, Targets)


def verify(root: Root, role: Role, metadata: Metadata[Any]) -> None:
    """Whether as many of the role's keys as its threshold says have signed.

    Raises:
        OtherSignerError: too few of them have.
    """
    try:
        root.verify_delegate(role.value, metadata.signed_bytes, metadata.signatures)
    except UnsignedMetadataError as error:
        raise OtherSignerError(f"{role} metadata: {error}") from error
    except (RepositoryError, ValueError) as error:
        raise TrustError(f"{role} metadata: {error}") from error


def verified_targets(root: bytes, data: bytes, family: str) -> Metadata[Targets]:
    """Parse a family's targets metadata that the root's targets keys have signed; expired ones are as good here.

    Raises:
        OtherSignerError: too few of the root's keys have signed them.
        TrustError: these bytes are no targets metadata, or another family's.
    """
    metadata = parse_targets(data)
    verify(parse(root, Root).signed, Role.TARGETS, metadata)
    require_family(metadata.signed, family)
    return metadata


def old_targets_of(root: bytes, data: bytes, family: str) -> bytes | None:
    """What a list that was signed for all families at once says of one; None where `data` are one family's.

    It is unsigned: the operator signs it anew. Its version lets the family's first one follow.

    Raises:
        OtherSignerError: too few of the root's keys have signed the list.
        TrustError: these bytes are no targets metadata.
    """
    metadata = parse_targets(data)
    if "family" in metadata.signed.unrecognized_fields:
        return None
    verify(parse(root, Root).signed, Role.TARGETS, metadata)
    entries = {path: entry for path, entry in metadata.signed.targets.items() if path.startswith(f"{family}/")}
    return Metadata(Targets(1, expires=metadata.signed.expires, targets=entries)).to_bytes()


def require_family(content: Targets | Snapshot | Timestamp, family: str) -> None:
    """Whether metadata belong to a family.

    Raises:
        TrustError: they belong to another one, or say of none.
    """
    found = content.unrecognized_fields.get("family")
    if found != family:
        raise TrustError(f"{content.type} metadata of family {found!r} where {family} was expected")


def signed_at_text(moment: datetime) -> str:
    """A moment as TUF writes times."""
    return moment.astimezone(UTC).strftime(_TIME_FORMAT)


def signed_at_of(content: Root | Targets) -> datetime | None:
    """When metadata were signed offline; None where they do not say.

    Raises:
        TrustError: what they say is no time.
    """
    text = content.unrecognized_fields.get("signed_at")
    if text is None:
        return None
    try:
        return datetime.strptime(text, _TIME_FORMAT).replace(tzinfo=UTC)
    except (TypeError, ValueError) as error:
        raise TrustError(f"{content.type} metadata: signed_at is no time of the form YYYY-MM-DDTHH:MM:SSZ") from error


def floor_of(targets: Targets) -> int:
    """The family's floor: no bundle of a lower counter is to be run again.

    Raises:
        TrustError: it is no number.
    """
    floor = targets.unrecognized_fields.get("min_counter", 0)
    if not isinstance(floor, int) or isinstance(floor, bool) or floor < 0:
        raise TrustError("targets metadata: min_counter is no whole number")
    return floor


def min_counter_of(entry: TargetFile) -> int:
    """The floor that a bundle's entry brings; 0 of a fallback's.

    Raises:
        TrustError: it is no number.
    """
    custom = entry.unrecognized_fields.get("custom")
    floor = custom.get("min_counter", 0) if isinstance(custom, dict) else 0
    if not isinstance(floor, int) or isinstance(floor, bool) or floor < 0:
        raise TrustError(f"{entry.path}: min_counter is no whole number")
    return floor
