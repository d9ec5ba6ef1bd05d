"""What publishing takes on the operator's side: check the folder, sign its entry, upload, and ask to publish."""

import base64
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from cloud_server.cli.floor import falling_of, require_may_rise
from cloud_server.cli.operator_client import OperatorClient
from cloud_server.cli.output import warn
from cloud_server.cli.signed_lists import Current, SignedLists
from cloud_server.cli.to_sign import goes_on
from cloud_server.fleet.voucher_key import make_key
from cloud_server.registry.floor import Falling
from shared.bundle import BUNDLE_NAME, FALLBACK_NAME, Bundle, BundleError, Fallback
from shared.errors import RefusedError
from shared.trust import (
    OFFLINE_ROLES,
    ONLINE_ROLES,
    OtherSignerError,
    Passphrase,
    Role,
    RootFacts,
    Signer,
    Target,
    TrustError,
    create_key,
    create_root,
    is_listed,
    load_keys,
    next_targets,
    parse_targets,
    targets_are_due,
    verified_targets,
)

ATTEMPTS = 10
_CONFLICT = 409


class NoKeysError(TrustError):
    """There are no keys in the folder that was named."""

    code: ClassVar[str] = "no-keys"


class OtherKeysError(TrustError):
    """The keys are another server's."""

    code: ClassVar[str] = "other-keys"


class TooFewSignaturesError(TrustError):
    """More keys must sign than are here."""

    code: ClassVar[str] = "too-few-signatures"


class Outcome(Enum):
    """What came of publishing: it is new; nothing has changed; or only the signed list was signed anew, being old."""

    PUBLISHED = auto()
    UNCHANGED = auto()
    RENEWED = auto()


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """What the trainer exports: `bundle.json` or `fallback.json` and the files it names, checked against each other."""

    published: Bundle | Fallback
    data: bytes
    blobs: dict[str, Path]

    @property
    def directory(self) -> Path:
        """Where it lies."""
        return next(iter(self.blobs.values())).parent

    @classmethod
    def read(cls, directory: Path) -> "ModelFolder":
        """Read and check a folder.

        Raises:
            BundleError: a file is missing or is not the one that the description names, or the self-test fails.
        """
        try:
            published, data = _description(directory)
            blobs = {sha256: directory / name for name, sha256 in published.classifier.files.items()}
            for sha256, path in blobs.items():
                _require_digest(path, sha256)
        except FileNotFoundError as error:
            raise BundleError(f"{error.filename} is missing; make the folder with: dctwire-trainer export") from error
        if isinstance(published, Bundle):
            published.check_selftest()
        return cls(published, data, blobs)


def initialise_trust(
    keys: Path,
    data: Path,
    now: datetime,
    *,
    thresholds: Mapping[Role, int] = MappingProxyType({}),
    passphrase: bytes | None = None,
) -> None:
    """Make the offline keys in `keys`, the online keys in `data/keys`, and the root that names them in both.

    Args:
        thresholds: how many keys an offline role has, all of which must sign; 1 where none is given.
        passphrase: what the files of the offline keys are encrypted with; None leaves them as they are.

    Raises:
        FileExistsError: one of the keys exists; nothing is ever overwritten.
        TrustError: the server's directory is set up already.
    """
    online = data / "keys"
    if (online / "root.json").exists():
        raise TrustError(f"{online} exists already")
    for folder in (keys, data, online):  # before the first key, so that a wrong path leaves nothing behind
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    make_key(online)
    signers = {role: [create_key(online, role)] for role in ONLINE_ROLES}
    for role in OFFLINE_ROLES:
        count = thresholds.get(role, 1)
        signers[role] = [
            create_key(keys, role, is_further=number > 0, passphrase=passphrase) for number in range(count)
        ]
    root = create_root(signers, now, thresholds)
    for path in (keys / "root.json", online / "root.json"):
        path.write_bytes(root)


def publish_folder(
    client: OperatorClient,
    folder: ModelFolder,
    keys: Path,
    now: datetime,
    report: Callable[[str], None],
    *,
    may_jump: bool = False,
    falling: Falling = Falling.NOTHING,
    passphrase: Passphrase | None = None,
    signed: bytes | None = None,
) -> Outcome:
    """Upload a folder and publish it. Repeating it after a failure, at any point, finishes it.

    What is published already stays as it is, and so does the signed list of targets, unless half of its life is over.
    The family's current list is verified with `keys/root.json` before it is signed again: a server that was broken
    into cannot get an entry of its own countersigned.

    Args:
        may_jump: whether the counter may be over a million above the family's highest.
        falling: what that is assigned may fall below the family's floor.
        passphrase: of the key files that have one.
        signed: the list as several have signed it; None signs it here.

    Raises:
        TooFewSignaturesError: the keys here are fewer than must sign.
        TargetTakenError: other contents are published under its name.
        NoKeysError: a key is missing.
        OtherKeysError: what the server holds is signed with other keys.
        TrustError: it does not verify for another reason, or a key cannot be read.
        BelowFloorError: more would fall than may.
        RefusedError, ChannelError: as the server says.
    """
    require_keys(keys)
    published, lists = folder.published, SignedLists(client, keys)
    target = Target(published.target_path, folder.data, published.target_custom)
    signers = cache(partial(targets_signers, lists, keys, passphrase))
    if signed is None and not _stands(current_list(lists, keys, published.family), target, now):
        signers()  # before anything is uploaded
    require_may_rise(client, lists, published, falling)
    _upload(client, folder, report)
    lists.remember_folder(published.target_path, folder.directory)
    for attempt in range(1, ATTEMPTS + 1):
        report("signing")
        current = current_list(lists, keys, published.family)
        if _stands(current, target, now):
            return Outcome.UNCHANGED
        is_known = is_listed(current.targets, target) and target.path not in current.lost
        report("publishing")
        targets = signed or next_list(client, lists, current, target, signers(), keys, published.family, now)
        try:
            _post(client, lists, folder, targets, may_jump=may_jump, falling=falling)
        except RefusedError as error:
            if not asks_to_sign_again(error) or signed is not None or attempt == ATTEMPTS:
                raise
        else:
            lists.keep(published.family, targets)
            tell_lost(current.lost - {target.path}, keys)
            return Outcome.RENEWED if is_known else Outcome.PUBLISHED
    raise AssertionError("the last attempt returns or raises")


def asks_to_sign_again(error: RefusedError) -> bool:
    """Whether others were faster, so that the same can be signed once more on top of theirs."""
    return error.status == _CONFLICT and "sign again" in str(error)


def _upload(client: OperatorClient, folder: ModelFolder, report: Callable[[str], None]) -> None:
    for sha256, path in folder.blobs.items():
        report(f"uploading {path.name}")
        client.put_file(f"/v1/blobs/{sha256}", path)


def _stands(current: Current, target: Target, now: datetime) -> bool:
    """Whether it is published, and its list need not be signed anew yet."""
    is_known = is_listed(current.targets, target) and target.path not in current.lost
    return is_known and _is_young(current, now)


def next_list(
    client: OperatorClient,
    lists: SignedLists,
    current: Current,
    target: Target,
    signers: Sequence[Signer],
    keys: Path,
    family: str,
    now: datetime,
    without: Collection[str] = (),
) -> bytes:
    """The list that follows a family's current one, signed by as many as must.

    Args:
        target: what it adds.
        without: paths that go, though they must stay as long as `target` is not there.

    Raises:
        TooFewSignaturesError: more keys must sign than are here; it is in a file then, for others to sign.
        TargetTakenError: the path of `target` has other contents.
        TrustError: the list does not verify.
    """
    kept = current.lost.union(client.get(f"/v1/tuf/{family}/keep")["keep"]).difference(without)
    made = next_targets(family, current.targets, signers, now, added=target, kept=kept, behind=current.behind)
    after = 0 if current.targets is None else parse_targets(current.targets).signed.version
    made = goes_on(list_to_sign(keys, family), made, signers, after)
    return require_signed([lists.root()], made, family, keys)


def targets_signers(lists: SignedLists, keys: Path, passphrase: Passphrase | None) -> list[Signer]:
    """The keys in a folder that may sign targets now.

    Raises:
        OtherKeysError: none of them may, or the server has another root.
        TrustError: a key cannot be read.
    """
    try:
        allowed = RootFacts.of(lists.root()).roles[Role.TARGETS].keyids
    except OtherSignerError as error:
        raise OtherKeysError(f"the keys in {keys} are not this server's: {error}") from error
    signers = [one for one in load_keys(keys, Role.TARGETS, passphrase) if one.public_key.keyid in allowed]
    if not signers:
        raise OtherKeysError(f"{keys} has no key that may sign what is published; the root names other ones")
    return signers


def list_to_sign(keys: Path, family: str) -> Path:
    """The file in which a family's list waits for signatures."""
    return keys / f"{family}.to-sign.json"


def require_signed(roots: Sequence[bytes], targets: bytes, family: str, keys: Path) -> bytes:
    """The same list, where enough of the keys that each of some roots names have signed it.

    Raises:
        TooFewSignaturesError: they have not; it is in a file then, for others to sign.
    """
    try:
        for root in roots:
            verified_targets(root, targets, family)
    except OtherSignerError as error:
        path = list_to_sign(keys, family)
        path.write_bytes(targets)
        raise TooFewSignaturesError(f"{error}; {path} waits for the others") from error
    return targets


def tell_lost(paths: Collection[str], keys: Path) -> None:
    """Warn that the server lacks what the signed list names, and say how to bring it back."""
    if paths:
        names = ", ".join(sorted(path.removesuffix(".json") for path in paths))
        warn(f"the server has lost what was published before: {names}. Next: dctwire trust restore --keys {keys}")


def _is_young(current: Current, now: datetime) -> bool:
    """Whether the server has the newest list, and more than half of its life is left."""
    return current.targets is not None and not current.is_ahead and not targets_are_due(current.targets, now)


def current_list(lists: SignedLists, keys: Path, family: str) -> Current:
    """A family's newest genuine list.

    Raises:
        OtherKeysError: what the server holds is signed with other keys.
        TrustError: it is damaged, or another family's.
    """
    try:
        return lists.current(family)
    except OtherSignerError as error:
        raise OtherKeysError(f"the keys in {keys} are not this server's: {error}") from error


def _post(
    client: OperatorClient, lists: SignedLists, folder: ModelFolder, targets: bytes, *, may_jump: bool, falling: Falling
) -> None:
    kind = "bundle" if isinstance(folder.published, Bundle) else "fallback"
    body: dict[str, Any] = {kind: base64.b64encode(folder.data).decode(), "targets": base64.b64encode(targets).decode()}
    if may_jump and isinstance(folder.published, Bundle):
        body["allow_jump"] = True
    may_fall = falling_of(lists, folder.published.family, targets, falling)
    if may_fall is not Falling.NOTHING:
        body["raise_floor"] = may_fall
    client.post(f"/v1/{kind}s", body)


def _require_digest(path: Path, sha256: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise BundleError(f"{path} has the SHA-256 {found}, not {sha256} as promised. Export it again")


def _description(directory: Path) -> tuple[Bundle | Fallback, bytes]:
    if (directory / FALLBACK_NAME).exists():
        data = (directory / FALLBACK_NAME).read_bytes()
        return Fallback.from_bytes(data), data
    data = (directory / BUNDLE_NAME).read_bytes()
    return Bundle.from_bytes(data), data


def require_keys(keys: Path) -> None:
    """Whether a folder holds what signs.

    Raises:
        NoKeysError: it does not.
    """
    if not keys.is_dir():
        raise NoKeysError(f"there is no folder {keys}")
    if not any(keys.glob(f"{Role.TARGETS}*.*")):
        raise NoKeysError(f"{keys} holds no keys: {Role.TARGETS}.pem is missing")
    if not (keys / "root.json").exists():
        raise NoKeysError(f"{keys} holds no keys: root.json is missing")
