"""What publishing takes on the operator's side: check the folder, sign its entry, upload, and ask to publish."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from pathlib import Path
from typing import ClassVar

from cloud_server.cli.operator_client import OperatorClient
from shared.bundle import BUNDLE_NAME, FALLBACK_NAME, Bundle, BundleError, Fallback
from shared.errors import RefusedError
from shared.trust import (
    ONLINE_ROLES,
    OtherSignerError,
    Role,
    TrustClient,
    TrustError,
    add_target,
    create_key,
    create_root,
    create_targets,
    is_listed,
    load_key,
    targets_are_due,
)

ATTEMPTS = 3
_CONFLICT = 409


class NoKeysError(TrustError):
    """There are no keys in the folder that was named."""

    code: ClassVar[str] = "no-keys"


class OtherKeysError(TrustError):
    """The keys are another server's."""

    code: ClassVar[str] = "other-keys"


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
                with path.open("rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
                if found != sha256:
                    raise BundleError(f"{path} has the SHA-256 {found}, not {sha256} as promised. Export it again")
        except FileNotFoundError as error:
            raise BundleError(f"{error.filename} is missing; make the folder with: dctwire-trainer export") from error
        if isinstance(published, Bundle):
            published.check_selftest()
        return cls(published, data, blobs)


def initialise_trust(keys: Path, data: Path, now: datetime) -> None:
    """Make the offline keys in `keys`; in `data/keys` the online keys, and the metadata that a server begins with.

    Raises:
        FileExistsError: one of the keys exists; nothing is ever overwritten.
        TrustError: the server's directory is set up already.
    """
    online = data / "keys"
    if (online / "root.json").exists():
        raise TrustError(f"{online} exists already")
    for folder in (keys, data, online):  # before the first key, so that a wrong path leaves nothing behind
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    signers = {role: create_key(online if role in ONLINE_ROLES else keys, role) for role in Role}
    root, targets = create_root(signers, now), create_targets(signers[Role.TARGETS], now)
    for path, content in ((keys / "root.json", root), (online / "targets.json", targets), (online / "root.json", root)):
        path.write_bytes(content)


def publish_folder(
    client: OperatorClient, folder: ModelFolder, keys: Path, now: datetime, report: Callable[[str], None]
) -> Outcome:
    """Upload a folder and publish it. Repeating it after a failure, at any point, finishes it.

    What is published already stays as it is, and so does the signed list of targets, unless half of its life is over.
    The server's current targets are verified with `keys/root.json` before they are signed again: a server that
    was broken into cannot get an entry of its own countersigned.

    Raises:
        TargetTakenError: other contents are published under its name.
        NoKeysError: a key is missing.
        OtherKeysError: what the server holds is signed with other keys.
        TrustError: it does not verify for another reason, or a key cannot be read.
        RefusedError, ChannelError: as the server says.
    """
    _require_keys(keys)
    signer = load_key(keys, Role.TARGETS)
    for sha256, path in folder.blobs.items():
        report(f"uploading {path.name}")
        client.put_file(f"/v1/blobs/{sha256}", path)
    trust = TrustClient(keys / "verified", (keys / "root.json").read_bytes(), client.fetch_tuf)
    entry = folder.published.target_path, folder.data, folder.published.target_custom
    for attempt in range(1, ATTEMPTS + 1):
        report("signing")
        try:
            current = trust.targets()
        except OtherSignerError as error:
            raise OtherKeysError(f"the keys in {keys} are not this server's: {error}") from error
        is_known = is_listed(current, *entry)
        if is_known and not targets_are_due(current, now):
            return Outcome.UNCHANGED
        report("publishing")
        try:
            _post(client, folder, add_target(current, *entry, signer, now))
        except RefusedError as error:
            if error.status != _CONFLICT or attempt == ATTEMPTS or "sign again" not in str(error):
                raise
        else:
            return Outcome.RENEWED if is_known else Outcome.PUBLISHED
    raise AssertionError("the last attempt returns or raises")


def _post(client: OperatorClient, folder: ModelFolder, targets: bytes) -> None:
    kind = "bundle" if isinstance(folder.published, Bundle) else "fallback"
    body = {kind: base64.b64encode(folder.data).decode(), "targets": base64.b64encode(targets).decode()}
    client.post(f"/v1/{kind}s", body)


def _description(directory: Path) -> tuple[Bundle | Fallback, bytes]:
    if (directory / FALLBACK_NAME).exists():
        data = (directory / FALLBACK_NAME).read_bytes()
        return Fallback.from_bytes(data), data
    data = (directory / BUNDLE_NAME).read_bytes()
    return Bundle.from_bytes(data), data


def _require_keys(keys: Path) -> None:
    if not keys.is_dir():
        raise NoKeysError(f"there is no folder {keys}")
    for name in (f"{Role.TARGETS}.pem", "root.json"):
        if not (keys / name).exists():
            raise NoKeysError(f"{keys} holds no keys: {name} is missing")
