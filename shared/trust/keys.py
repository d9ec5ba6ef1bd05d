"""Signing keys, one Ed25519 key a TUF role, each in a PEM file that only its owner can read."""

import os
from enum import StrEnum
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner, Signer

from shared.trust.errors import TrustError

__all__ = ["OFFLINE_ROLES", "ONLINE_ROLES", "Role", "Signer", "create_key", "load_key"]


class Role(StrEnum):
    """TUF's four top-level roles."""

    ROOT = "root"
    TARGETS = "targets"
    SNAPSHOT = "snapshot"
    TIMESTAMP = "timestamp"


OFFLINE_ROLES = (Role.ROOT, Role.TARGETS)
ONLINE_ROLES = (Role.SNAPSHOT, Role.TIMESTAMP)


def create_key(directory: Path, role: Role) -> Signer:
    """Make a key and write it to `directory/<role>.pem` with mode 0600.

    Raises:
        FileExistsError: there is one already; keys are never overwritten.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    signer = CryptoSigner.generate_ed25519()
    descriptor = os.open(_path(directory, role), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(signer.private_bytes)
    return signer


def load_key(directory: Path, role: Role) -> Signer:
    """Load `directory/<role>.pem`.

    Raises:
        TrustError: the file is missing or is no Ed25519 private key; names the file.
    """
    path = _path(directory, role)
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise TrustError(f"{path}: no usable {role} key ({error})") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise TrustError(f"{path}: the {role} key is not an Ed25519 key")
    return CryptoSigner(key)


def _path(directory: Path, role: Role) -> Path:
    return directory / f"{role}.pem"
