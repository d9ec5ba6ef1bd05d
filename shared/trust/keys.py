"""Signing keys: files that only their owner can read, with or without a passphrase, and signers that others keep.

A folder may hold several keys of a role: `targets.pem`, `targets-<id>.pem`. A file `targets-<id>.uri` stands for a key
that a securesystemslib signer holds (a hardware module, a key service, a file elsewhere): its URI and its public key.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, Key, Signer, SSlibKey

from shared.trust.errors import KeyFileError

__all__ = [
    "OFFLINE_ROLES",
    "ONLINE_ROLES",
    "Key",
    "KeyFile",
    "Passphrase",
    "Role",
    "Signer",
    "create_key",
    "key_files",
    "load_key",
    "load_keys",
    "new_key",
    "noted_signer",
    "passphrase_beside",
    "public_key",
]

Passphrase = Callable[[Path], bytes]
"""Tells the passphrase of a key file; raises KeyFileError where it is not known."""


class Role(StrEnum):
    """TUF's four top-level roles."""

    ROOT = "root"
    TARGETS = "targets"
    SNAPSHOT = "snapshot"
    TIMESTAMP = "timestamp"


OFFLINE_ROLES = (Role.ROOT, Role.TARGETS)
ONLINE_ROLES = (Role.SNAPSHOT, Role.TIMESTAMP)


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A key, and the file that is to hold it, or to say which signer does; nothing is written yet."""

    signer: Signer
    path: Path
    data: bytes

    def write(self) -> Signer:
        """Write the file with mode 0600, unless it lies there with the same contents.

        Raises:
            FileExistsError: there is another one; keys are never overwritten.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (self.path.exists() and self.path.read_bytes() == self.data):
            _write_new(self.path, self.data)
        return self.signer

    def write_public(self) -> Path:
        """Write the public half (PEM) beside it, as `<role>-<id>.pub`, for whoever changes the root."""
        path = self.path.with_suffix(".pub")
        public = self.signer.public_key.to_dict()["keyval"]["public"]
        path.write_bytes(_public_pem(bytes.fromhex(public)))
        return path


def create_key(directory: Path, role: Role, *, is_further: bool = False, passphrase: bytes | None = None) -> Signer:
    """Make an Ed25519 key and write it to `directory/<role>.pem` with mode 0600; arguments as for `new_key`.

    Raises:
        FileExistsError: there is one already; keys are never overwritten.
    """
    return new_key(directory, role, is_further=is_further, passphrase=passphrase).write()


def new_key(directory: Path, role: Role, *, is_further: bool = True, passphrase: bytes | None = None) -> KeyFile:
    """Make an Ed25519 key.

    Args:
        is_further: it is one more of its role, and its file's name has its id.
        passphrase: what the file is encrypted with; None leaves it as it is.
    """
    key = Ed25519PrivateKey.generate()
    signer = CryptoSigner(key)
    name = f"{role}-{signer.public_key.keyid[:8]}.pem" if is_further else f"{role}.pem"
    return KeyFile(signer, directory / name, _pem(key, passphrase))


def noted_signer(directory: Path, role: Role, uri: str, public_pem: bytes) -> KeyFile:
    """A signer that holds a key of a role, and the file that notes it.

    Raises:
        KeyFileError: there is no such signer, or its public key is not this one.
    """
    public = public_key(public_pem)
    document = {"uri": uri, "keyid": public.keyid, "public": public.to_dict()}
    path = directory / f"{role}-{public.keyid[:8]}.uri"
    return KeyFile(_signer(uri, public), path, json.dumps(document).encode())


def public_key(pem: bytes) -> Key:
    """The public half of a key that somebody else holds.

    Raises:
        KeyFileError: these bytes are no public key (PEM).
    """
    try:
        return SSlibKey.from_crypto(load_pem_public_key(pem))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"no usable public key: {error}") from error


def load_key(directory: Path, role: Role) -> Signer:
    """Load `directory/<role>.pem`, which has no passphrase.

    Raises:
        KeyFileError: the file is missing or is no Ed25519 private key; names the file.
    """
    return _load(directory / f"{role}.pem", _no_passphrase)


def load_keys(directory: Path, role: Role, passphrase: Passphrase | None = None) -> list[Signer]:
    """All keys of a role in a folder; none where it has none.

    Raises:
        KeyFileError: one of them cannot be used; names its file.
    """
    return [_load_any(path, passphrase or _no_passphrase) for path in _files(directory, role)]


def key_files(
    directory: Path, role: Role, passphrase: Passphrase | None = None
) -> list[tuple[Path, Signer | KeyFileError]]:
    """Every file of a role's keys in a folder, with its signer, or with why it cannot be used."""
    return [(path, _tried(path, passphrase or _no_passphrase)) for path in _files(directory, role)]


def passphrase_beside(directory: Path, passphrase: Passphrase) -> bytes | None:
    """The passphrase that the key files in a folder have; None where none has any.

    Raises:
        KeyFileError: it is not known, or does not open such a file.
    """
    for path in sorted(directory.glob("*.pem")):
        if _has_passphrase(path.read_bytes()):
            _load(path, passphrase)
            return passphrase(path)
    return None


def _has_passphrase(data: bytes) -> bool:
    return b"ENCRYPTED PRIVATE KEY" in data[:64]


def _pem(key: Ed25519PrivateKey, passphrase: bytes | None) -> bytes:
    encryption = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def _public_pem(raw: bytes) -> bytes:
    return Ed25519PublicKey.from_public_bytes(raw).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _files(directory: Path, role: Role) -> Iterator[Path]:
    whole = directory / f"{role}.pem"
    yield from [whole] if whole.exists() else []
    yield from sorted(directory.glob(f"{role}-*.pem"))
    yield from sorted(directory.glob(f"{role}-*.uri"))


def _load_any(path: Path, passphrase: Passphrase) -> Signer:
    return _load(path, passphrase) if path.suffix == ".pem" else _load_uri(path)


def _tried(path: Path, passphrase: Passphrase) -> Signer | KeyFileError:
    try:
        return _load_any(path, passphrase)
    except KeyFileError as error:
        return error


def _load(path: Path, passphrase: Passphrase) -> Signer:
    try:
        data = path.read_bytes()
        secret = passphrase(path) if _has_passphrase(data) else None
        key = load_pem_private_key(data, password=secret)
    except (OSError, ValueError, TypeError) as error:
        raise KeyFileError(f"{path}: no usable key ({error})") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: this is not an Ed25519 key")
    return CryptoSigner(key)


def _load_uri(path: Path) -> Signer:
    try:
        document = json.loads(path.read_bytes())
        public = Key.from_dict(document["keyid"], document["public"])
        uri = str(document["uri"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KeyFileError(f"{path}: no usable signer ({error!r})") from error
    return _signer(uri, public)


def _signer(uri: str, public: Key) -> Signer:
    try:
        return Signer.from_priv_key_uri(uri, public)
    except Exception as error:  # securesystemslib: signers may raise errors of any kind
        raise KeyFileError(f"the signer {uri.partition(':')[0]} cannot be used: {error}") from error


def _no_passphrase(path: Path) -> bytes:
    raise KeyFileError(f"{path} has a passphrase; give it with --passphrase-file")


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
