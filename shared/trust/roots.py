"""The chain of roots, which name who may sign: each is signed by the keys of the one before and by its own."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from securesystemslib.signer import Key, Signer
from tuf.api.metadata import Metadata, Root, Targets

from shared.trust.errors import TrustError
from shared.trust.keys import Role
from shared.trust.metadata import AHEAD_MAX, parse, root_file, signed_at_of, signed_at_text, signed_bytes, verify
from shared.trust.shown import Read

ROOT_LIFETIME = timedelta(days=3650)
ROTATIONS_MAX = 1024
RootSigners = Mapping[Role, Sequence[Signer]]


@dataclass(frozen=True, slots=True)
class RoleKeys:
    """Who may sign a role's metadata: ids of keys, and how many of them must."""

    keyids: tuple[str, ...]
    threshold: int


@dataclass(frozen=True, slots=True)
class RoleChange:
    """Other keys of one role.

    Args:
        removed: ids of keys that may sign no more.
        threshold: how many of the role's keys must sign from now on; None leaves it.
    """

    role: Role
    added: Collection[Key] = ()
    removed: Collection[str] = ()
    threshold: int | None = None


@dataclass(frozen=True, slots=True)
class RootFacts:
    """What a root says."""

    version: int
    expires: datetime
    roles: Mapping[Role, RoleKeys]

    @classmethod
    def of(cls, root: bytes) -> "RootFacts":
        """Read a root; no signature is checked.

        Raises:
            TrustError: these bytes are no root metadata.
        """
        content = parse(root, Root).signed
        roles = {role: RoleKeys(tuple(content.roles[role].keyids), content.roles[role].threshold) for role in Role}
        return cls(content.version, content.expires, roles)


def create_root(signers: RootSigners, now: datetime, thresholds: Mapping[Role, int] | None = None) -> bytes:
    """Root metadata, version 1, signed by all of root's keys; thresholds are 1 unless they are given.

    Raises:
        TrustError: a role has fewer keys than its threshold asks for.
    """
    root = Root(version=1, expires=now + ROOT_LIFETIME, consistent_snapshot=True)
    for role in Role:
        for signer in signers[role]:
            root.add_key(signer.public_key, role.value)
        root.roles[role].threshold = (thresholds or {}).get(role, 1)
    _require_enough_keys(root)
    return signed_bytes(root, signers[Role.ROOT], signed_at=signed_at_text(now))


def next_root(
    current: bytes,
    signers: Sequence[Signer],
    now: datetime,
    *changes: RoleChange,
) -> bytes:
    """The root that follows `current`: other keys of some roles, or the same ones for longer.

    Args:
        signers: of root's keys, old and new; each signs. More signatures may be added (`add_signatures`).

    Raises:
        TrustError: `current` is no root, has not such a key or has an added one already, or a role would have fewer
            keys than its threshold.
    """
    root = parse(current, Root).signed
    root.version += 1
    root.expires = now + ROOT_LIFETIME
    for change in changes:
        _change_keys(root, change.role, change.added, change.removed)
        root.roles[change.role].threshold = change.threshold or root.roles[change.role].threshold
    _require_enough_keys(root)
    return signed_bytes(root, signers, signed_at=signed_at_text(now))


def add_signatures(data: bytes, root: bytes, keys: Mapping[Role, Sequence[Signer]]) -> tuple[bytes, int]:
    """Sign root or targets metadata with those of some keys that may sign it; returns how many did.

    Args:
        root: names who may sign targets, and who signed the root before.

    Raises:
        TrustError: these bytes are neither.
    """
    metadata, role, allowed = _signable(data, RootFacts.of(root))
    signers = [signer for signer in keys[role] if signer.public_key.keyid in allowed]
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes(), len(signers)


def continued(waiting: bytes, made: bytes, signers: Sequence[Signer], after: int) -> bytes | None:
    """What waits for signatures, with those of `signers` too, if it says what `made` says but for its times.

    Args:
        after: the version that it must be above.

    Returns:
        None where it is older or says something else, and nobody but `signers` has signed it.

    Raises:
        TrustError: it says something else, and others have signed it; or these bytes are no metadata.
    """
    metadata, wanted = _either(waiting), _either(made)
    if metadata.signed.version <= after:
        return None
    if _said(metadata) == _said(wanted):
        for signer in signers:
            metadata.sign(signer, append=True)
        return metadata.to_bytes()
    if set(metadata.signatures) - {one.public_key.keyid for one in signers}:
        raise TrustError("it says something else, and others have signed it")
    return None


def root_file_of(root: bytes) -> str:
    """The name under which this root is published.

    Raises:
        TrustError: these bytes are no root metadata.
    """
    return root_file(parse(root, Root).signed.version)


def require_root(root: bytes) -> None:
    """Whether as many of its own keys as it says have signed it.

    Raises:
        TrustError: they have not, or these bytes are no root metadata.
    """
    metadata = parse(root, Root)
    verify(metadata.signed, Role.ROOT, metadata)


def newest_root(trusted: bytes, read: Read) -> bytes:
    """The last of the roots that lead on from a trusted one.

    Raises:
        TrustError: one of them is not signed by itself and by the one before.
    """
    for _ in range(ROTATIONS_MAX):
        following = read(root_file(RootFacts.of(trusted).version + 1))
        if following is None:
            break
        require_follows(trusted, following)
        trusted = following
    return trusted


def require_follows(trusted: bytes, offered: bytes) -> None:
    """Whether a root is the next after a trusted one, signed as the threshold of both says.

    Raises:
        TrustError: it is not.
    """
    before, after = parse(trusted, Root), parse(offered, Root)
    if after.signed.version != before.signed.version + 1:
        raise TrustError(f"root version {after.signed.version} cannot follow {before.signed.version}")
    verify(before.signed, Role.ROOT, after)
    verify(after.signed, Role.ROOT, after)


def require_current_root(offered: bytes, now: datetime) -> None:
    """Whether a root is neither expired nor dated ahead: devices would take its `signed_at` for the time.

    Raises:
        TrustError: it is, or does not say when it was signed.
    """
    root = parse(offered, Root).signed
    signed_at = signed_at_of(root)
    if root.is_expired(now) or signed_at is None or signed_at > now + AHEAD_MAX:
        raise TrustError(f"root version {root.version} is expired, undated or dated more than a day ahead")


def _change_keys(root: Root, role: Role, added: Collection[Key], removed: Collection[str]) -> None:
    for key in added:
        if key.keyid in root.roles[role].keyids:
            raise TrustError(f"key {key.keyid[:8]} may sign for {role} already")
        root.add_key(key, role.value)
    for keyid in removed:
        try:
            root.revoke_key(keyid, role.value)
        except ValueError as error:
            raise TrustError(f"{role} has no key {keyid}") from error


def _signable(data: bytes, root: RootFacts) -> tuple[Metadata[Root] | Metadata[Targets], Role, set[str]]:
    """Metadata, its role, and the keys that may sign it: those of the root before and of a root itself."""
    try:
        return parse(data, Targets), Role.TARGETS, set(root.roles[Role.TARGETS].keyids)
    except TrustError:
        keyids = {*root.roles[Role.ROOT].keyids, *RootFacts.of(data).roles[Role.ROOT].keyids}
        return parse(data, Root), Role.ROOT, keyids


def _either(data: bytes) -> Metadata[Any]:
    try:
        return parse(data, Targets)
    except TrustError:
        return parse(data, Root)


def _said(metadata: Metadata[Any]) -> dict[str, Any]:
    """What metadata say beside when they were made, which also gives lists their version."""
    said = metadata.signed.to_dict()
    return {name: value for name, value in said.items() if name not in ("version", "expires", "signed_at")}


def _require_enough_keys(root: Root) -> None:
    for name, role in root.roles.items():
        if not 1 <= role.threshold <= len(role.keyids):
            raise TrustError(
                f"{name} would have {len(role.keyids)} keys, and a threshold of {role.threshold} cannot be: "
                "add a key first, or change the threshold with it"
            )
